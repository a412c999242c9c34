"""Meta blocks m_i: the decoder's layers, whose convolution weights arrive with the frame (3.3).

The weights of a level are a map with one pixel per patch, as `WeightMapper` makes it: float
[N, weight_count, rows, columns]. So the grid of patches is the map's size.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from hyperseg_ros.network.dynamic_conv_norm import DynamicConvBias, DynamicConvNorm
from hyperseg_ros.network.patches import (
    OPERATORS,
    join_patches,
    split_patches,
    split_patches_with_halo,
)

Halo = Literal["patch", "map"]
"""Whose weights compute the halo of a patch's hidden map: its own (v1.0) or each neighbour's."""

EXPANSION = 2
"""Hidden channels of an inverted residual per input channel."""


class PatchConvolution(nn.Module):
    """Dynamic 1x1 convolution, batch norm, ReLU: the meta block of the coarse levels.

    Attributes:
        weight_count: weights per patch.
        weights_per_channel: weights that make one output channel of a convolution, by the name of
            its norm, in the order of the weights.
        operators: the form of the dynamic convolution, one of `patches.OPERATORS`.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.weight_count = in_channels * out_channels
        self.norm: DynamicConvNorm | DynamicConvBias = DynamicConvNorm(out_channels)
        self.weights_per_channel = {"norm": in_channels}
        self.operators = OPERATORS["convolution"]

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Float [N, Cin, H, W] with weights [N, weight_count, rows, cols] to [N, Cout, H, W]."""
        grid = weights.shape[2:]
        kernels = _kernels(weights, self.out_channels)
        patches = self.norm(self.operators.pointwise, split_patches(x, grid), kernels)
        return join_patches(functional.relu(patches), grid, like=x)


class PatchInvertedResidual(nn.Module):
    """Dynamic 1x1, ReLU6, depthwise 3x3, ReLU6, 1x1, each with batch norm: the fine levels.

    The weights of a patch are the three kernels concatenated, each ordered [output channel, rest].

    Attributes:
        weight_count, weights_per_channel: as in `PatchConvolution`.
        operators: the forms of the dynamic convolutions, one of `patches.OPERATORS`.
    """

    def __init__(self, in_channels: int, out_channels: int, halo: Halo = "patch") -> None:
        super().__init__()
        hidden = EXPANSION * in_channels
        self.in_channels, self.hidden_channels, self.out_channels = (
            in_channels,
            hidden,
            out_channels,
        )
        self.sizes = (in_channels * hidden, hidden * 9, hidden * out_channels)
        self.weight_count = sum(self.sizes)
        self.halo = halo
        self.norm1: DynamicConvNorm | DynamicConvBias = DynamicConvNorm(hidden)
        self.norm2: DynamicConvNorm | DynamicConvBias = DynamicConvNorm(hidden)
        self.norm3: DynamicConvNorm | DynamicConvBias = DynamicConvNorm(out_channels)
        self.weights_per_channel = {"norm1": in_channels, "norm2": 9, "norm3": hidden}
        self.operators = OPERATORS["convolution"]

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Float [N, Cin, H, W] with weights [N, weight_count, rows, cols] to [N, Cout, H, W]."""
        grid = weights.shape[2:]
        expand, depthwise, project = weights.split(self.sizes, dim=1)
        if self.halo == "patch":
            hidden = self._expand(split_patches_with_halo(x, grid), expand)
        else:
            hidden = self._expand(split_patches(x, grid), expand)
            hidden = split_patches_with_halo(join_patches(hidden, grid, like=x), grid)
        kernels = _kernels(depthwise, self.hidden_channels)
        hidden = functional.relu6(self.norm2(self.operators.depthwise, hidden, kernels))
        kernels = _kernels(project, self.out_channels)
        y = join_patches(self.norm3(self.operators.pointwise, hidden, kernels), grid, like=x)
        return x + y if self.in_channels == self.out_channels else y

    def _expand(self, patches: Tensor, weights: Tensor) -> Tensor:
        kernels = _kernels(weights, self.hidden_channels)
        return functional.relu6(self.norm1(self.operators.pointwise, patches, kernels))


MetaBlock = PatchConvolution | PatchInvertedResidual


def _kernels(weights: Tensor, out_channels: int) -> Tensor:
    """A map of weights, [N, Cout * K, rows, cols], as kernels, float [P, Cout, K]."""
    return weights.permute(0, 2, 3, 1).reshape(weights[:, 0].numel(), out_channels, -1)
