"""The patch-wise operators against their definition, one patch at a time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from hyperseg_ros.network.patches import (
    OPERATORS,
    join_patches,
    split_patches,
    split_patches_with_halo,
)

grids = st.tuples(st.integers(1, 4), st.integers(1, 4))
patch_sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))
batches = st.integers(1, 3)
channels = st.integers(1, 5)
memory_formats = st.sampled_from([torch.contiguous_format, torch.channels_last])


def random(*shape):
    return torch.randn(shape, generator=torch.manual_seed(sum(shape)))


def side_by_side(patches):
    """[P, C, h, w] to [1, P * C, h, w]."""
    return patches.flatten(0, 1)[None]


@given(batches, channels, grids, patch_sizes, memory_formats)
def test_patches_come_by_image_row_and_column(n, c, grid, size, memory_format):
    (rows, cols), (h, w) = grid, size
    x = random(n, c, rows * h, cols * w).to(memory_format=memory_format)
    patches = split_patches(x, grid)
    for index, patch in enumerate(patches[0].split(c)):
        image, row, col = index // (rows * cols), index // cols % rows, index % cols
        expected = x[image, :, row * h : (row + 1) * h, col * w : (col + 1) * w]
        assert torch.equal(patch, expected)
    assert torch.equal(join_patches(patches, grid, like=x), x)


@given(batches, channels, grids, patch_sizes, memory_formats)
def test_the_halo_is_the_reflected_map_around_each_patch(n, c, grid, size, memory_format):
    (rows, cols), (h, w) = grid, size
    if rows * h < 2 or cols * w < 2:
        return  # nothing to reflect
    x = random(n, c, rows * h, cols * w).to(memory_format=memory_format)
    padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    for index, patch in enumerate(split_patches_with_halo(x, grid)[0].split(c)):
        image, row, col = index // (rows * cols), index // cols % rows, index % cols
        expected = padded[image, :, row * h : (row + 1) * h + 2, col * w : (col + 1) * w + 2]
        assert torch.equal(patch, expected)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_patches_and_maps_keep_the_memory_format(memory_format):
    x = random(2, 3, 8, 12).to(memory_format=memory_format)
    for split, size in ((split_patches, (4, 4)), (split_patches_with_halo, (6, 6))):
        patches = split(x, (2, 3))
        assert patches.shape == (1, 36, *size)
        assert patches.is_contiguous(memory_format=memory_format)
    joined = join_patches(split_patches(x, (2, 3)), (2, 3), like=x)
    assert joined.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("form", OPERATORS)
@given(
    p=st.integers(1, 6),
    c_in=channels,
    c_out=channels,
    size=patch_sizes,
    with_bias=st.booleans(),
    memory_format=memory_formats,
)
def test_pointwise_is_a_convolution_with_each_patchs_kernel(
    form, p, c_in, c_out, size, with_bias, memory_format
):
    patches, weights = random(p, c_in, *size), random(p, c_out, c_in)
    bias = random(c_out) if with_bias else None
    expected = [
        functional.conv2d(x[None], w[:, :, None, None], bias)[0]
        for x, w in zip(patches, weights, strict=True)
    ]
    flat = side_by_side(patches).to(memory_format=memory_format)
    found = OPERATORS[form].pointwise(flat, weights, bias)
    torch.testing.assert_close(found, side_by_side(torch.stack(expected)))


@pytest.mark.parametrize("form", OPERATORS)
@given(
    p=st.integers(1, 6),
    c=channels,
    size=patch_sizes,
    with_bias=st.booleans(),
    memory_format=memory_formats,
)
def test_depthwise_is_a_convolution_with_each_patchs_kernels(
    form, p, c, size, with_bias, memory_format
):
    patches, weights = random(p, c, size[0] + 2, size[1] + 2), random(p, c, 9)
    bias = random(c) if with_bias else None
    expected = [
        functional.conv2d(x[None], w.view(c, 1, 3, 3), bias, groups=c)[0]
        for x, w in zip(patches, weights, strict=True)
    ]
    flat = side_by_side(patches).to(memory_format=memory_format)
    found = OPERATORS[form].depthwise(flat, weights, bias)
    torch.testing.assert_close(found, side_by_side(torch.stack(expected)))
