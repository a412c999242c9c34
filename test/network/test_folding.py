import pytest
import torch
from networks import NAMES, with_statistics
from torch import nn

from hyperseg_ros.network import VARIANTS, build
from hyperseg_ros.network.folding import deployed
from hyperseg_ros.network.patches import OPERATORS


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        *((name, "convolution") for name in NAMES),
        *((name, form) for name in VARIANTS for form in OPERATORS if form != "convolution"),
    ],
)
def test_the_deployed_form_computes_the_same(name, operators):
    """Of every encoder in one form of the decoder; of every decoder in all forms."""
    network = with_statistics(build(name))
    form = deployed(network, operators)
    # The backbones of timm keep theirs, which stand behind constant weights: runtimes fold them.
    left = [key for key, module in form.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert [key for key in left if not key.startswith("encoder.backbone.")] == []
    size = network.size_divisor
    image = torch.randn(1, 3, size, 2 * size, generator=torch.manual_seed(0))
    with torch.inference_mode():
        expected, found = network.double()(image.double()), form.double()(image.double())
    assert ((found - expected).norm() / expected.norm()).item() < 1e-6
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
