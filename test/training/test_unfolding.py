import pytest
import torch
from networks import with_statistics
from torch import nn

from hyperseg_ros.network import CheckpointError, build
from hyperseg_ros.network.folding import deployed
from hyperseg_ros.training.unfolding import load_deployed_weights


def images(network, seed):
    size = network.size_divisor
    return torch.randn(2, 3, size, 2 * size, generator=torch.manual_seed(seed))


@pytest.fixture(scope="module", params=["hyperseg-s-lite0", "hyperseg-s-camvid"])
def networks(request):
    """A network, and one made of its deployed form."""
    original = with_statistics(build(request.param)).double()
    state = deployed(original).state_dict()
    again = build(request.param).double()
    load_deployed_weights(again, state, [images(original, seed).double() for seed in (0, 1)])
    return original, again


def test_it_computes_the_same(networks):
    original, again = networks
    image = images(original, 2).double()
    with torch.inference_mode():
        expected, found = original(image), again(image)
    assert ((found - expected).norm() / expected.norm()).item() < 1e-6


def test_its_norms_have_the_statistics_of_the_images(networks):
    """On the very images of which they are, training and evaluation then compute the same."""
    original, again = networks
    batch = torch.cat([images(original, seed).double() for seed in (0, 1)])
    for norm in again.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 0.0
    with torch.no_grad():
        expected = again.eval()(batch)
        found = again.train()(batch)
    again.eval()
    # Batch norm learns the unbiased variance and divides by the biased one.
    assert ((found - expected).norm() / expected.norm()).item() < 1e-3


def test_weights_that_lack_a_bias_are_refused():
    network = build("hyperseg-s-lite0")
    state = deployed(network).state_dict()
    del state["encoder.stem.conv.bias"]
    with pytest.raises(CheckpointError, match=r"missing.*encoder\.stem\.conv\.bias"):
        load_deployed_weights(network, state, [])
