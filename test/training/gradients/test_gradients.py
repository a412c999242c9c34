"""A network with fast gradients is the same network: outputs, gradients, names, parameters."""

import copy

import pytest
import torch

from hyperseg_ros.network import build
from hyperseg_ros.training.gradients import use_fast_gradients
from hyperseg_ros.training.gradients.depthwise import DepthwiseConv2d


@pytest.fixture(scope="module", params=["hyperseg-s-camvid", "hyperseg-s-lite0"])
def networks(request):
    """A network as the paper has it, and its twin, in double precision."""
    torch.manual_seed(0)
    plain = build(request.param, num_classes=3).double()
    fast = copy.deepcopy(plain)
    use_fast_gradients(fast)
    return plain, fast


def test_names_and_parameters_stay(networks):
    plain, fast = networks
    assert list(fast.state_dict()) == list(plain.state_dict())
    assert sum(isinstance(module, DepthwiseConv2d) for module in fast.modules()) >= 16


def test_replacing_layers_draws_no_random_numbers():
    network = build("hyperseg-s-camvid")
    parameters = list(network.parameters())
    before = torch.get_rng_state()
    use_fast_gradients(network)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(a is b for a, b in zip(parameters, network.parameters(), strict=True))


def test_outputs_in_evaluation_are_equal_bit_for_bit(networks):
    plain, fast = networks
    image = torch.randn(1, 3, 64, 128, generator=torch.manual_seed(1)).double()
    with torch.inference_mode():
        assert torch.equal(fast.eval()(image), plain.eval()(image))


def test_gradients_are_those_of_the_plain_network(networks):
    image = torch.randn(2, 3, 64, 128, generator=torch.manual_seed(1)).double()
    gradients = []
    for network in networks:
        network.train().zero_grad()
        logits = network(image)
        (logits * torch.randn(logits.shape, generator=torch.manual_seed(2))).sum().backward()
        gradients.append({key: p.grad for key, p in network.named_parameters()})
    plain, fast = gradients
    assert [key for key in plain if (plain[key] is None) != (fast[key] is None)] == []
    for key, gradient in plain.items():
        if gradient is not None:
            torch.testing.assert_close(fast[key], gradient, rtol=1e-6, atol=1e-9, msg=key)
