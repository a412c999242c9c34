"""The patch-wise operators against their definition, one patch at a time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from hyperseg_ros.network.patches import (
    join_patches,
    patch_depthwise,
    patch_depthwise_by_shifts,
    patch_pointwise,
    patch_pointwise_by_convolution,
    split_patches,
    split_patches_with_halo,
)

grids = st.tuples(st.integers(1, 4), st.integers(1, 4))
patch_sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))
batches = st.integers(1, 3)
channels = st.integers(1, 5)


def random(*shape):
    return torch.randn(shape, generator=torch.manual_seed(sum(shape)))


@given(batches, channels, grids, patch_sizes)
def test_patches_come_by_image_row_and_column(n, c, grid, size):
    (rows, cols), (h, w) = grid, size
    x = random(n, c, rows * h, cols * w)
    patches = split_patches(x, grid)
    for index, patch in enumerate(patches):
        image, row, col = index // (rows * cols), index // cols % rows, index % cols
        expected = x[image, :, row * h : (row + 1) * h, col * w : (col + 1) * w]
        assert torch.equal(patch, expected)
    assert torch.equal(join_patches(patches, grid), x)


@given(batches, channels, grids, patch_sizes)
def test_the_halo_is_the_reflected_map_around_each_patch(n, c, grid, size):
    (rows, cols), (h, w) = grid, size
    if rows * h < 2 or cols * w < 2:
        return  # nothing to reflect
    x = random(n, c, rows * h, cols * w)
    padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    for index, patch in enumerate(split_patches_with_halo(x, grid)):
        image, row, col = index // (rows * cols), index // cols % rows, index % cols
        expected = padded[image, :, row * h : (row + 1) * h + 2, col * w : (col + 1) * w + 2]
        assert torch.equal(patch, expected)


@pytest.mark.parametrize("operator", [patch_pointwise, patch_pointwise_by_convolution])
@given(p=st.integers(1, 6), c_in=channels, c_out=channels, size=patch_sizes)
def test_pointwise_is_a_convolution_with_each_patchs_kernel(operator, p, c_in, c_out, size):
    patches, weights = random(p, c_in, *size), random(p, c_out, c_in)
    expected = [
        functional.conv2d(x[None], w[:, :, None, None])[0] for x, w in zip(patches, weights)
    ]
    torch.testing.assert_close(operator(patches, weights), torch.stack(expected))


@pytest.mark.parametrize("operator", [patch_depthwise, patch_depthwise_by_shifts])
@given(p=st.integers(1, 6), c=channels, size=patch_sizes)
def test_depthwise_is_a_convolution_with_each_patchs_kernels(operator, p, c, size):
    patches, weights = random(p, c, size[0] + 2, size[1] + 2), random(p, c, 3, 3)
    expected = [
        functional.conv2d(x[None], w[:, None], groups=c)[0] for x, w in zip(patches, weights)
    ]
    torch.testing.assert_close(operator(patches, weights), torch.stack(expected))
