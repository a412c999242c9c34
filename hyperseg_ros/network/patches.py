"""Patch-wise operators: a map cut into patches, each with weights of its own (section 3.3).

Patches are stacked along the channels, float [1, P * C, h, w]: the spatial axes are those of one
patch, and the channels are those of patch 0, then those of patch 1, in the order (image, row,
column), P = N * rows * columns. A dynamic 1x1 convolution is then a convolution with P groups, a
dynamic depthwise one a depthwise convolution. In channels-last memory the same pixel of all patches
is contiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hyperseg_ros.network.layers import memory_format

Grid = Sequence[int]
"""Rows and columns of patches."""

Operator = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""A dynamic convolution: patches, weights and bias to patches."""


def split_patches(x: Tensor, grid: Grid) -> Tensor:
    """Float [N, C, H, W] to patches, float [1, P * C, H / rows, W / cols]."""
    n, c, h, w = x.shape
    rows, cols = grid
    tiled = x.permute(0, 2, 3, 1).reshape(n, rows, h // rows, cols, w // cols, c)
    return _as_channels(tiled.permute(2, 4, 0, 1, 3, 5), memory_format(x))


def split_patches_with_halo(x: Tensor, grid: Grid) -> Tensor:
    """`split_patches` with one pixel around each: float [1, P * C, H / rows + 2, W / cols + 2].

    Inside the map the halo is the neighbour's pixels, at its border the map reflected.
    """
    n, c, h, w = x.shape
    rows, cols = _halo_index(h, grid[0], x.device), _halo_index(w, grid[1], x.device)
    image = torch.arange(n, dtype=torch.int32, device=x.device)[:, None, None] * h
    index = ((image + rows[:, None, None, :, None]) * w + cols[:, None, None, :]).flatten()
    pixels = x.permute(0, 2, 3, 1).reshape(n * h * w, c).index_select(0, index)
    tiled = pixels.reshape(len(rows), len(cols), n, *grid, c)
    return _as_channels(tiled, memory_format(x))


def join_patches(patches: Tensor, grid: Grid, like: Tensor) -> Tensor:
    """The inverse of `split_patches`: float [1, P * C, h, w] to [N, C, rows * h, cols * w].

    Args:
        patches: without halo.
        grid: rows and columns of patches.
        like: a map with the N and the memory format to return.
    """
    _, _, h, w = patches.shape
    n, (rows, cols) = like.shape[0], grid
    tiled = patches.permute(0, 2, 3, 1).reshape(h, w, n, rows, cols, -1)
    joined = tiled.permute(2, 3, 0, 4, 1, 5).reshape(n, rows * h, cols * w, -1)
    return joined.permute(0, 3, 1, 2).contiguous(memory_format=memory_format(like))


def patch_pointwise(patches: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
    """Dynamic 1x1 convolution.

    Args:
        patches: float [1, P * Cin, h, w].
        weights: float [P, Cout, Cin].
        bias: the same for all patches, float [Cout].

    Returns:
        Float [1, P * Cout, h, w].
    """
    p, _, in_channels = weights.shape
    kernels = weights.reshape(-1, in_channels, 1, 1)
    return functional.conv2d(patches, kernels, _repeated(bias, p), groups=p)


def patch_depthwise(patches: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
    """Dynamic depthwise 3x3 convolution, which consumes the halo.

    Args:
        patches: float [1, P * C, h + 2, w + 2].
        weights: float [P, C, 9].
        bias: the same for all patches, float [C].

    Returns:
        Float [1, P * C, h, w].
    """
    p, channels, _ = weights.shape
    kernels = weights.reshape(-1, 1, 3, 3)
    return functional.conv2d(patches, kernels, _repeated(bias, p), groups=p * channels)


def patch_pointwise_by_product(
    patches: Tensor, weights: Tensor, bias: Tensor | None = None
) -> Tensor:
    """`patch_pointwise` as a batched matrix product."""
    p, out_channels, in_channels = weights.shape
    _, _, h, w = patches.shape
    y = torch.bmm(weights, patches.reshape(p, in_channels, h * w))
    if bias is not None:
        y = y + bias[:, None]
    return y.reshape(1, p * out_channels, h, w)


def patch_depthwise_by_shifts(
    patches: Tensor, weights: Tensor, bias: Tensor | None = None
) -> Tensor:
    """`patch_depthwise` as nine shifted multiply-adds."""
    p, channels, _ = weights.shape
    height, width = patches.shape[2] - 2, patches.shape[3] - 2
    kernels = weights.reshape(1, p * channels, 9)
    total = patches.new_zeros(()) if bias is None else bias.repeat(p)[:, None, None]
    for tap in range(9):
        dy, dx = divmod(tap, 3)
        shifted = patches[:, :, dy : dy + height, dx : dx + width]
        total = total + shifted * kernels[:, :, tap, None, None]
    return total


class Operators(NamedTuple):
    """One form of the dynamic convolutions; all forms compute the same."""

    pointwise: Operator
    depthwise: Operator


OPERATORS = {
    "convolution": Operators(patch_pointwise, patch_depthwise),
    "product": Operators(patch_pointwise_by_product, patch_depthwise_by_shifts),
}
"""The forms by name. Grouped convolutions are the fastest on CPUs, in training and in backends;
matrix products and shifts are what a GPU has tuned kernels for."""


def _as_channels(tiled: Tensor, layout: torch.memory_format) -> Tensor:
    """[h, w, N, rows, cols, C] to [1, P * C, h, w]."""
    patches = tiled.reshape(1, *tiled.shape[:2], -1).permute(0, 3, 1, 2)
    if layout == torch.contiguous_format:
        # PyTorch tells the format from the strides, and contiguous() leaves those of single pixels.
        return patches.flatten().view(patches.shape)
    return patches


def _repeated(bias: Tensor | None, times: int) -> Tensor | None:
    return None if bias is None else bias.repeat(times)


def _halo_index(length: int, patches: int, device: torch.device) -> Tensor:
    """The pixels along one side, int32 [patch side + 2, patches]."""
    side = length // patches
    start = torch.arange(patches, dtype=torch.int32, device=device) * side
    index = start + torch.arange(-1, side + 1, dtype=torch.int32, device=device)[:, None]
    return (length - 1) - ((length - 1) - index.abs()).abs()
