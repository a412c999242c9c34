import pytest
import torch
from torch import nn

from hyperseg_ros.network.dynamic_conv_norm import DynamicConvNorm
from hyperseg_ros.network.patches import patch_pointwise

P, C_IN, C_OUT = 6, 3, 4


def inputs(memory_format):
    generator = torch.manual_seed(0)
    patches = torch.randn(1, P * C_IN, 5, 7, generator=generator).to(memory_format=memory_format)
    return patches, torch.randn(P, C_OUT, C_IN, generator=generator)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_statistics_are_those_of_a_batch_of_patches(memory_format):
    patches, weights = inputs(memory_format)
    norm, expected = DynamicConvNorm(C_OUT), nn.BatchNorm2d(C_OUT)
    found = norm(patch_pointwise, patches, weights)
    maps = patch_pointwise(patches, weights).reshape(P, C_OUT, 5, 7)
    torch.testing.assert_close(found.reshape(P, C_OUT, 5, 7), expected(maps))
    torch.testing.assert_close(norm.running_mean, expected.running_mean)
    torch.testing.assert_close(norm.running_var, expected.running_var)


def test_a_split_norm_is_a_factor_of_the_weights_and_a_bias():
    patches, weights = inputs(torch.channels_last)
    norm = DynamicConvNorm(C_OUT)
    for _ in range(3):
        norm(patch_pointwise, patches, weights)
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.uniform_(norm.bias, -1, 1)
    with torch.inference_mode():
        expected = norm.eval()(patch_pointwise, patches, weights)
        scale, bias = norm.split()
        found = bias(patch_pointwise, patches, weights * scale[:, None])
    torch.testing.assert_close(found, expected)
