"""Depthwise convolution that trains fast on a CPU.

oneDNN, PyTorch's library for CPUs, has a quick weight gradient for 3x3 kernels and quick input
gradients for stride 1. For the 5x5 kernels and strides of EfficientNet it falls back to code that
is 5 to 30 times as slow in bfloat16, where it took 40 % of a training step. So a 5x5 weight
gradient is assembled from four 3x3 ones, and a strided input gradient is one of stride 1 over a
map with zeros between. The results are the same sums.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from hyperseg_ros.network.layers import SameConv2d

_SMALL = 3


class DepthwiseConv2d(SameConv2d):
    """A depthwise `SameConv2d` that shares the weight of another.

    Args:
        conv: the other: a kernel for each channel, 3x3 or 5x5, stride 1 or 2.
    """

    def __init__(self, conv: SameConv2d) -> None:
        channels, size, stride = conv.in_channels, conv.kernel_size[0], conv.stride[0]
        with torch.device("meta"):  # the weight is the other's
            super().__init__(channels, channels, size, stride, groups=channels)
        self.weight = conv.weight
        self.padding, self.uneven_padding = conv.padding, conv.uneven_padding

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and x.device.type == "cpu"):
            return super().forward(x)
        if self.uneven_padding is not None:
            x = functional.pad(x, self.uneven_padding)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            x, weight = x.to(dtype), weight.to(dtype)
        return _Depthwise.apply(x, weight, self.stride[0], int(self.padding[0]))


class _Depthwise(torch.autograd.Function):
    """x, float [N, C, H, W], by a weight, [C, 1, K, K]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(x, weight, None, stride, padding, groups=x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        return (
            _input_gradient(x, weight, grad, ctx.stride, ctx.padding)
            if ctx.needs_input_grad[0]
            else None,
            _weight_gradient(x, weight, grad, ctx.stride, ctx.padding)
            if ctx.needs_input_grad[1]
            else None,
            None,
            None,
        )


def _input_gradient(x: Tensor, weight: Tensor, grad: Tensor, stride: int, padding: int) -> Tensor:
    size = weight.shape[2]
    if stride > 1:
        n, c, h, w = x.shape
        rows, cols = (length + 2 * padding - size + 1 for length in (h, w))
        spread = grad.new_zeros((n, rows, cols, c)).permute(0, 3, 1, 2)
        spread[:, :, ::stride, ::stride] = grad
        grad = spread
    # A convolution with the kernel turned over.
    return functional.conv2d(
        grad, weight.flip(2, 3), None, 1, size - 1 - padding, groups=x.shape[1]
    )


def _weight_gradient(x: Tensor, weight: Tensor, grad: Tensor, stride: int, padding: int) -> Tensor:
    size = weight.shape[2]
    if size == _SMALL:
        return _small_weight_gradient(x, weight, grad, stride, padding)
    x = functional.pad(x, [padding] * 4)
    rows, cols = ((length - 1) * stride + _SMALL for length in grad.shape[2:])
    result = torch.empty_like(weight)
    # The 3x3 parts overlap where the size is no multiple of 3; they agree there.
    for i in {0, size - _SMALL}:
        for j in {0, size - _SMALL}:
            part = x[:, :, i : i + rows, j : j + cols]
            part = part.contiguous(memory_format=torch.channels_last)
            taps = (slice(None), slice(None), slice(i, i + _SMALL), slice(j, j + _SMALL))
            result[taps] = _small_weight_gradient(part, weight[taps].contiguous(), grad, stride, 0)
    return result


def _small_weight_gradient(
    x: Tensor, weight: Tensor, grad: Tensor, stride: int, padding: int
) -> Tensor:
    _, gradient, _ = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        None,
        [stride] * 2,
        [padding] * 2,
        [1, 1],
        False,
        [0, 0],
        x.shape[1],
        [False, True, False],
    )
    return gradient
