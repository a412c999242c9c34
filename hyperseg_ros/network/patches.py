"""Patch-wise operators: a map cut into patches, each with weights of its own (section 3.3).

Patches stand in the batch dimension, in the order (image, row, column): P = N * rows * cols. With
that a dynamic 1x1 convolution is one batched matrix product, and a dynamic depthwise convolution
one depthwise convolution with P * C channels. The published code runs both as grouped convolutions
over P groups; the function is the same.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Grid = tuple[int, int]
"""Rows and columns of patches."""


def split_patches(x: Tensor, grid: Grid) -> Tensor:
    """Float [N, C, H, W] to patches, float [P, C, H / rows, W / cols]."""
    n, c, h, w = x.shape
    rows, cols = grid
    tiled = x.reshape(n, c, rows, h // rows, cols, w // cols)
    return tiled.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def join_patches(patches: Tensor, grid: Grid) -> Tensor:
    """The inverse of `split_patches`: float [P, C, h, w] to [N, C, rows * h, cols * w]."""
    p, c, h, w = patches.shape
    rows, cols = grid
    n = p // (rows * cols)
    tiled = patches.reshape(n, rows, cols, c, h, w).permute(0, 3, 1, 4, 2, 5)
    return tiled.reshape(n, c, rows * h, cols * w)


def split_patches_with_halo(x: Tensor, grid: Grid) -> Tensor:
    """Like `split_patches` with one pixel around each: float [P, C, H / rows + 2, W / cols + 2].

    Inside the map the halo is the neighbour's pixels, at its border the map reflected.
    """
    n, c, h, w = x.shape
    rows, cols = grid
    height, width = h // rows + 2, w // cols + 2
    x = x.index_select(2, _halo_index(h, rows, x.device))
    x = x.index_select(3, _halo_index(w, cols, x.device))
    return split_patches(x, grid).reshape(n * rows * cols, c, height, width)


def patch_pointwise(patches: Tensor, weights: Tensor) -> Tensor:
    """Dynamic 1x1 convolution: float [P, Cin, h, w] by [P, Cout, Cin] to [P, Cout, h, w]."""
    return torch.bmm(weights, patches.flatten(2)).unflatten(2, patches.shape[2:])


def patch_pointwise_by_convolution(patches: Tensor, weights: Tensor) -> Tensor:
    """`patch_pointwise` as a grouped convolution, the published form.

    For patches of few pixels, where a matrix product is thin; it rounds as the published code.
    """
    p, c, h, w = patches.shape
    kernels = weights.reshape(-1, c, 1, 1)
    return functional.conv2d(patches.reshape(1, p * c, h, w), kernels, groups=p).view(p, -1, h, w)


def patch_depthwise(patches: Tensor, weights: Tensor) -> Tensor:
    """Dynamic depthwise 3x3: float [P, C, h + 2, w + 2] by [P, C, 3, 3] to [P, C, h, w]."""
    p, c, h, w = patches.shape
    flat = patches.reshape(1, p * c, h, w)
    kernels = weights.reshape(p * c, 1, 3, 3)
    return functional.conv2d(flat, kernels, groups=p * c).view(p, c, h - 2, w - 2)


def patch_depthwise_by_shifts(patches: Tensor, weights: Tensor) -> Tensor:
    """`patch_depthwise` as nine shifted multiply-adds.

    The form for exported graphs: runtimes want a convolution's weights constant.
    """
    height, width = patches.shape[2] - 2, patches.shape[3] - 2
    total = patches.new_zeros(())
    for dy in range(3):
        for dx in range(3):
            shifted = patches[:, :, dy : dy + height, dx : dx + width]
            total = total + shifted * weights[:, :, dy : dy + 1, dx : dx + 1]
    return total


def _halo_index(length: int, patches: int, device: torch.device) -> Tensor:
    size = length // patches
    start = torch.arange(patches, device=device)[:, None] * size
    index = (start + torch.arange(-1, size + 1, device=device)).flatten()
    return (length - 1) - ((length - 1) - index.abs()).abs()
