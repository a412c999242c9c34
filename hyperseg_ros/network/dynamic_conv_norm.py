"""A dynamic convolution with its batch norm, or with the bias that folding leaves of that."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hyperseg_ros.network.patches import Operator


class DynamicConvNorm(nn.BatchNorm2d):
    """A dynamic convolution, then batch norm with statistics over the pixels of all patches."""

    def forward(  # type: ignore[override]  # it convolves first
        self, operator: Operator, patches: Tensor, weights: Tensor
    ) -> Tensor:
        """Float [1, P * Cin, h, w] to [1, P * C, h, w], C the channels normalised."""
        patches = operator(patches, weights, None)
        _, channels, h, w = patches.shape
        if patches.is_contiguous():
            return super().forward(patches.view(-1, self.num_features, h, w)).view(patches.shape)
        pixels = patches.permute(0, 2, 3, 1).reshape(1, h * w, -1, self.num_features)
        pixels = super().forward(pixels.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return pixels.reshape(1, h, w, channels).permute(0, 3, 1, 2)

    def split(self) -> tuple[Tensor, DynamicConvBias]:
        """The per-channel scale to multiply the weights by, float [C], and the rest, a bias."""
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, DynamicConvBias(self.bias - self.running_mean * scale)


class DynamicConvBias(nn.Module):
    """A dynamic convolution with a constant bias: `DynamicConvNorm` without its scale.

    Args:
        bias: float [C].
    """

    bias: Tensor

    def __init__(self, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("bias", bias)

    def forward(self, operator: Operator, patches: Tensor, weights: Tensor) -> Tensor:
        """Float [1, P * Cin, h, w] to [1, P * C, h, w]."""
        return operator(patches, weights, self.bias)
