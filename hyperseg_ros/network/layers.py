"""What every block is made of: convolution with "same" padding, batch norm, activation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

# EfficientNet's constants of batch normalisation.
BATCH_NORM_EPS = 1e-3
BATCH_NORM_MOMENTUM = 0.01

Activation = Callable[[], nn.Module]


class SameConv2d(nn.Conv2d):
    """Convolution without bias whose output is ceil(input / stride), padded as TensorFlow pads.

    Args:
        padded_for: input height and width (pixels) for which the padding is computed. The
            published EfficientNets fix it at their ImageNet resolution, and so must we to equal
            them; None pads for even inputs, which the strides of a valid size always meet.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        groups: int = 1,
        padded_for: int | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, groups=groups, bias=False)
        size = stride * kernel_size if padded_for is None else padded_for
        total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
        before, after = total // 2, total - total // 2
        self.uneven_padding = (before, after, before, after) if before != after else None
        if before == after:
            self.padding = (before, before)

    def forward(self, x: Tensor) -> Tensor:
        if self.uneven_padding is not None:
            x = functional.pad(x, self.uneven_padding)
        return super().forward(x)


class ConvNorm(nn.Module):
    """Convolution, batch norm, and an activation if one is given.

    Args:
        conv: a convolution without bias.
        activation: makes the activation; None for none.
        encoder_norm: batch norm with EfficientNet's constants, not PyTorch's.
    """

    def __init__(
        self, conv: nn.Conv2d, activation: Activation | None = None, encoder_norm: bool = True
    ) -> None:
        super().__init__()
        self.conv = conv
        self.norm: nn.Module = (
            nn.BatchNorm2d(conv.out_channels, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM)
            if encoder_norm
            else nn.BatchNorm2d(conv.out_channels)
        )
        self.activation = activation() if activation is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))


class Swish(nn.Module):
    """x * sigmoid(x), in two steps as in the published code, to equal it bit for bit."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


def memory_format(x: Tensor) -> torch.memory_format:
    """The memory format of a map: contiguous, or channels-last."""
    return torch.contiguous_format if x.is_contiguous() else torch.channels_last
