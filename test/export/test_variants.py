"""Every network exported once: the file agrees with it, and so does one made for another size."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import EXPORTED, write_checkpoint

import models
from hyperseg_ros.commands import export as command
from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.export.pixels import PixelsToLabels
from hyperseg_ros.network import find_variant, load_checkpoint
from hyperseg_ros.runtime.graphs.resize import ResizeError, Resizer, resized
from hyperseg_ros.runtime.model_file import read_card

ANOTHER_DECODER = ["hyperseg-s-lite0", "hyperseg-s-cityscapes", "hyperseg-s-lite0+regular"]
"""Networks whose graphs depend on the size in different ways."""


@pytest.fixture(scope="module", params=EXPORTED)
def exported(request, tmp_path_factory):
    """A model file of `hyperseg export`, 128 x 192 (of VOC's layout 256 x 384), and its network."""
    checkpoint = write_checkpoint(tmp_path_factory.mktemp("exported"), request.param)
    network, _ = load_checkpoint(checkpoint)
    height, width = 2 * network.size_divisor, 3 * network.size_divisor
    assert command.main([str(checkpoint), "--size", f"{height}x{width}"]) == 0
    return checkpoint.with_suffix(".onnx"), network


@pytest.fixture(scope="module")
def resizer(exported):
    path, _ = exported
    return Resizer(onnx.load(str(path)))


def test_it_is_kept_with_its_card(exported):
    """What is kept has been compared with PyTorch, on every backend."""
    path, network = exported
    card = read_card(path)
    assert card.variant == network.name
    assert card.input_size == (2 * network.size_divisor, 3 * network.size_divisor)
    assert card.classes == find_variant(network.name).classes
    assert card.miou == {"noise": 0.25}
    page = path.with_suffix(".md").read_text()
    assert "mIoU on noise | 25.0 %" in page
    assert f"| {card.classes.names[-1]} |" in page


def test_the_file_takes_the_sizes_that_the_network_takes(exported, resizer):
    _, network = exported
    assert network.size_divisor % resizer.divisor == 0


@given(st.integers(1, 4), st.integers(1, 4))
@settings(
    max_examples=3,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_at_another_size_it_computes_what_the_network_does(exported, resizer, rows, columns):
    """As far as float16 weights let it."""
    _, network = exported
    height, width = rows * network.size_divisor, columns * network.size_divisor
    image = noise(height, width)
    labels, confidence = results(resizer.to(height, width), image)
    with torch.inference_mode():
        expected, sure = PixelsToLabels(network)(torch.from_numpy(image))
    assert np.mean(labels == expected.numpy()) > 0.99
    assert np.mean(np.abs(confidence.astype(int) - sure.numpy()) <= 8) > 0.98


@pytest.mark.parametrize("exported", ANOTHER_DECODER, indirect=True)
def test_it_equals_an_export_of_that_size(exported, tmp_path):
    path, network = exported
    size = 2 * network.size_divisor, 4 * network.size_divisor
    expected = exported_at(tmp_path, network, size)
    check_equal(resized(onnx.load(str(path)), *size), expected, noise(*size))


def test_a_batch_equals_an_export_of_that_size(tmp_path):
    network, _ = load_checkpoint(write_checkpoint(tmp_path, "hyperseg-s-lite0"))
    made, expected = (
        exported_at(tmp_path, network, size, batch=2) for size in ((192, 128), (128, 256))
    )
    check_equal(resized(made, 128, 256), expected, noise(128, 256, batch=2))


def test_a_batch_in_the_other_form_is_refused_with_what_to_do(tmp_path):
    network, _ = load_checkpoint(write_checkpoint(tmp_path, "hyperseg-s-lite0"))
    made = exported_at(tmp_path, network, (192, 128), batch=2, operators="product")
    with pytest.raises(ResizeError, match="export the checkpoint with --size instead"):
        resized(made, 128, 256)


def noise(height, width, batch=1):
    return np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), dtype=np.uint8)


def results(model, image):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["labels", "confidence"], {"image": image})


def exported_at(folder, network, size, **options):
    path = folder / f"{size[0]}x{size[1]}.onnx"
    write_model_file(path, network, models.card(input_size=size), **options)
    return onnx.load(str(path))


def check_equal(found, expected, image):
    """Nothing differs but the order of sums, and the rounding of small constants."""
    labels, confidence = results(found, image)
    same, sure = results(expected, image)
    assert np.mean(labels == same) > 0.9999
    assert np.abs(confidence.astype(int) - sure).max() <= 1
