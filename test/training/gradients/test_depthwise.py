import pytest
import torch
from torch.nn import functional

from hyperseg_ros.network.layers import SameConv2d
from hyperseg_ros.training.gradients.depthwise import DepthwiseConv2d


def depthwise(channels, kernel_size, stride, padded_for=None):
    plain = SameConv2d(
        channels, channels, kernel_size, stride, groups=channels, padded_for=padded_for
    )
    return DepthwiseConv2d(plain)


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padded_for", [None, 15])
def test_gradients_are_those_of_a_convolution(kernel_size, stride, padded_for):
    torch.manual_seed(0)
    ours = depthwise(6, kernel_size, stride, padded_for).double().train()
    x = torch.randn(2, 6, 12, 16, dtype=torch.double, requires_grad=True)
    y = ours(x)
    assert y.shape[2:] == (12 // stride, 16 // stride)
    weights = torch.randn_like(y)
    got = torch.autograd.grad((y * weights).sum(), (x, ours.weight))
    padded = functional.pad(x, ours.uneven_padding) if ours.uneven_padding else x
    plain = functional.conv2d(padded, ours.weight, None, stride, ours.padding, groups=6)
    torch.testing.assert_close(y, plain)
    expected = torch.autograd.grad((plain * weights).sum(), (x, ours.weight))
    for one, other in zip(got, expected):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_training_in_bfloat16_rounds_only():
    torch.manual_seed(0)
    ours = depthwise(16, 5, 2).train().to(memory_format=torch.channels_last)
    x = torch.randn(2, 16, 24, 32).contiguous(memory_format=torch.channels_last)
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = ours(x)
        (gradient,) = torch.autograd.grad(y.float().square().sum(), ours.weight)
        gradients.append(gradient)
    assert y.dtype == torch.bfloat16
    assert gradient.dtype == torch.float32
    torch.testing.assert_close(*gradients, rtol=0.03, atol=0.03 * float(gradients[0].abs().max()))
