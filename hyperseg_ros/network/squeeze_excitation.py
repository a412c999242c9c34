"""Squeeze-and-excitation: channel attention (Hu et al., CVPR 2018)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from hyperseg_ros.network.layers import Swish


class SqueezeExcitation(nn.Module):
    """x times a gate in (0, 1) for each channel, worked out from the channels' means.

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
        x, means = _BesideMeans.apply(x) if self.training else (x, _means(x))
        return x * torch.sigmoid(self.expand(self.activation(self.reduce(means))))


class _BesideMeans(torch.autograd.Function):
    """x, float [N, C, H, W], and its means, float [N, C, 1, 1].

    Autograd would spread the gradient of the means over a map of its own, in contiguous memory, and
    add that to the gradient of a map that is channels-last: half of the time of going back.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.pixels = x.shape[2] * x.shape[3]
        return x.view_as(x), _means(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_means: Tensor) -> Tensor:
        return grad + grad_means / ctx.pixels


def _means(x: Tensor) -> Tensor:
    return functional.adaptive_avg_pool2d(x, 1)
