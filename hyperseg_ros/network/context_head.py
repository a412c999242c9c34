"""The context head h: the signal φ that the decoder's weights are made from (section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperseg_ros.network.layers import ConvNorm


class ContextHead(nn.Module):
    """φ = h(F_n | θ_h): a small nested U-Net whose deepest map is its global average.

    Args:
        in_channels: channels of F_n; even.
        levels: resolutions of the U-Net; each below the first halves height and width.
    """

    def __init__(self, in_channels: int, levels: int) -> None:
        super().__init__()
        channels = in_channels // 2
        self.reduce = _conv(in_channels, channels, 1)
        self.down = nn.ModuleList(_conv(channels, channels, 2) for _ in range(levels - 1))
        self.up = nn.ModuleList(_conv(2 * channels, channels, 1) for _ in range(levels - 1))
        self.signal_channels = in_channels
        for conv in (self.reduce, *self.up[:1]):
            _start_nearly_constant(conv.norm)

    def forward(self, x: Tensor) -> Tensor:
        """Float [N, C, h, w] to φ of the same shape; h and w multiples of 2^(levels-1)."""
        maps = [self.reduce(x)]
        for down in self.down:
            maps.append(down(maps[-1]))
        context = _global_average(maps[-1])
        for up in reversed(self.up):
            context = _upsampled(up(torch.cat((maps.pop(), context), dim=1)))
        return torch.cat((maps.pop(), context), dim=1)


class UnreducedContextHead(nn.Module):
    """The context head of the published PASCAL VOC model (v0.1): full width, and linear φ.

    Arguments and shapes are `ContextHead`'s.
    """

    def __init__(self, in_channels: int, levels: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(_conv(in_channels, in_channels, 2) for _ in range(levels - 1))
        self.up = nn.ModuleList(
            _conv(2 * in_channels, in_channels, 1, linear=level == 0) for level in range(levels - 1)
        )
        self.signal_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Float [N, C, h, w] to φ of the same shape; h and w multiples of 2^(levels-1)."""
        maps = [x]
        for down in self.down:
            maps.append(down(maps[-1]))
        context = _global_average(maps.pop())
        for up in reversed(self.up):
            context = up(torch.cat((maps.pop(), _upsampled(context)), dim=1))
        return context


class ConstantSignal(nn.Module):
    """φ = 1, one pixel for the whole image: the weights mapped from it are learned, not generated.

    That makes the decoder's convolutions regular ones.
    """

    signal_channels = 1

    def forward(self, x: Tensor) -> Tensor:
        """Float [N, C, h, w] to [N, 1, 1, 1]."""
        return x.new_ones(x.shape[0], 1, 1, 1)


def _conv(in_channels: int, out_channels: int, size: int, linear: bool = False) -> ConvNorm:
    conv = nn.Conv2d(in_channels, out_channels, size, stride=size, bias=False)
    return ConvNorm(conv, None if linear else nn.ReLU, encoder_norm=False)


def _start_nearly_constant(norm: nn.Module) -> None:
    """Initialize φ to about 1, with little of the image, so that all patches start alike.

    From the usual initialization every patch scrambles its pixels in its own random way, and
    training spends its first epochs on undoing that.
    """
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.constant_(norm.bias, 1.0)
    nn.init.constant_(norm.weight, 0.2)


def _global_average(x: Tensor) -> Tensor:
    return functional.adaptive_avg_pool2d(x, 1).expand_as(x)


def _upsampled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
