"""What follows a dynamic convolution: batch norm in training, a bias once that is folded."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hyperseg_ros.network.patches import Operator


class PatchNorm(nn.BatchNorm2d):
    """A dynamic convolution, then batch norm with statistics over the pixels of all patches."""

    def forward(self, operator: Operator, patches: Tensor, weights: Tensor) -> Tensor:
        """Float [1, P * Cin, h, w] to [1, P * C, h, w], C the channels normalised."""
        patches = operator(patches, weights, None)
        _, channels, h, w = patches.shape
        if patches.is_contiguous():
            return super().forward(patches.view(-1, self.num_features, h, w)).view(patches.shape)
        pixels = patches.permute(0, 2, 3, 1).reshape(1, h * w, -1, self.num_features)
        pixels = super().forward(pixels.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return pixels.reshape(1, h, w, channels).permute(0, 3, 1, 2)

    def split(self) -> tuple[Tensor, PatchBias]:
        """The factor a channel that belongs into the weights, float [C], and what is left."""
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, PatchBias(self.bias - self.running_mean * scale)


class PatchBias(nn.Module):
    """A dynamic convolution with a constant bias: `PatchNorm` without the factor.

    Args:
        bias: float [C].
    """

    def __init__(self, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("bias", bias)

    def forward(self, operator: Operator, patches: Tensor, weights: Tensor) -> Tensor:
        """Float [1, P * Cin, h, w] to [1, P * C, h, w]."""
        return operator(patches, weights, self.bias)
