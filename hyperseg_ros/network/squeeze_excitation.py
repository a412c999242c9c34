"""Squeeze-and-excitation: channel attention (Hu et al., CVPR 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperseg_ros.network.layers import Swish


class SqueezeExcitation(nn.Module):
    """x times a gate in (0, 1) for each channel, computed from the channels' means.

    Args:
        channels: of input and output.
        squeezed: channels in between.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.activation = Swish()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(channel_means(x))

    def gate(self, means: Tensor) -> Tensor:
        """Float [N, C, 1, 1] to the factors of the channels, of the same shape."""
        return torch.sigmoid(self.expand(self.activation(self.reduce(means))))


def channel_means(x: Tensor) -> Tensor:
    """Float [N, C, H, W] to [N, C, 1, 1]."""
    return functional.adaptive_avg_pool2d(x, 1)
