"""Meta blocks m_i: the decoder's layers, whose convolution weights arrive with the frame (3.3)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from hyperseg_ros.network.patches import (
    Grid,
    join_patches,
    patch_depthwise,
    patch_pointwise,
    patch_pointwise_by_convolution,
    split_patches,
    split_patches_with_halo,
)

Halo = Literal["patch", "map"]
"""Whose weights make the hidden pixels around a patch: this patch's (v1.0) or each neighbour's."""

EXPANSION = 2
"""Hidden channels of an inverted residual for each of its inputs."""


class PatchConvolution(nn.Module):
    """Dynamic 1x1 convolution, batch norm, ReLU: the meta block of the coarse levels.

    Attributes:
        pointwise: the form of the 1x1 operator, from `patches`; export chooses.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.weight_count = in_channels * out_channels
        self.norm = nn.BatchNorm2d(out_channels)
        self.pointwise = patch_pointwise_by_convolution

    def forward(self, x: Tensor, weights: Tensor, grid: Grid) -> Tensor:
        """Float [N, Cin, H, W] with weights [P, weight_count] to [N, Cout, H, W]."""
        kernels = weights.reshape(-1, self.out_channels, self.in_channels)
        patches = self.pointwise(split_patches(x, grid), kernels)
        return join_patches(functional.relu(self.norm(patches)), grid)


class PatchInvertedResidual(nn.Module):
    """Dynamic 1x1, ReLU6, depthwise 3x3, ReLU6, 1x1, each with batch norm: the fine levels.

    The weights of a patch are the three kernels one after the other, each output-channel first.

    Attributes:
        pointwise, depthwise: the forms of the operators, from `patches`; export chooses.
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
        self.pointwise = patch_pointwise
        self.depthwise = patch_depthwise
        self.norm1 = nn.BatchNorm2d(hidden)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.norm3 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, weights: Tensor, grid: Grid) -> Tensor:
        """Float [N, Cin, H, W] with weights [P, weight_count] to [N, Cout, H, W]."""
        expand, depthwise, project = weights.split(self.sizes, dim=1)
        expand = expand.reshape(-1, self.hidden_channels, self.in_channels)
        depthwise = depthwise.reshape(-1, self.hidden_channels, 3, 3)
        project = project.reshape(-1, self.out_channels, self.hidden_channels)

        if self.halo == "patch":
            hidden = self._expand(split_patches_with_halo(x, grid), expand)
        else:
            hidden = self._expand(split_patches(x, grid), expand)
            hidden = split_patches_with_halo(join_patches(hidden, grid), grid)
        hidden = functional.relu6(self.norm2(self.depthwise(hidden, depthwise)))
        y = join_patches(self.norm3(self.pointwise(hidden, project)), grid)
        return x + y if self.in_channels == self.out_channels else y

    def _expand(self, patches: Tensor, kernels: Tensor) -> Tensor:
        return functional.relu6(self.norm1(self.pointwise(patches, kernels)))
