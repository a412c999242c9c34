"""A model file made for another size is what the network would have been exported as."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import EXPORTED

import models
from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.export.pixels import PixelsToLabels
from hyperseg_ros.export.resizing import resized_card
from hyperseg_ros.runtime.graphs.resize import Resizer, resized


def noise(height, width, batch=1):
    return np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), dtype=np.uint8)


def results(model, image):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["labels", "confidence"], {"image": image})


@pytest.fixture(scope="module", params=EXPORTED)
def exported(request, exports):
    path, network = exports(request.param)
    return Resizer(onnx.load(str(path))), network


def test_it_fits_what_fits_the_network(exported):
    resizer, network = exported
    assert resizer.divisor <= network.size_divisor
    assert network.size_divisor % resizer.divisor == 0


@given(st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_computes_what_the_network_does(exported, rows, columns):
    """As far as float16 weights let it."""
    resizer, network = exported
    height, width = rows * network.size_divisor, columns * network.size_divisor
    image = noise(height, width)
    labels, confidence = results(resizer.to(height, width), image)
    with torch.inference_mode():
        expected, sure = PixelsToLabels(network)(torch.from_numpy(image))
    assert np.mean(labels == expected.numpy()) > 0.99
    assert np.mean(np.abs(confidence.astype(int) - sure.numpy()) <= 8) > 0.98


@pytest.mark.parametrize(
    "name", ["hyperseg-s-lite0", "hyperseg-s-cityscapes", "hyperseg-s-lite0+regular"]
)
def test_it_equals_an_export_of_that_size(tmp_path, exports, name):
    path, network = exports(name)
    size = 2 * network.size_divisor, 4 * network.size_divisor
    expected = exported_at(tmp_path, network, size)
    check_equal(resized(onnx.load(str(path)), *size), expected, noise(*size))


def test_a_batch_of_the_other_form_equals_an_export_of_that_size(tmp_path, exports):
    _, network = exports("hyperseg-s-lite0")
    made, expected = (
        exported_at(tmp_path, network, size, batch=2, operators="product")
        for size in ((192, 128), (128, 256))
    )
    check_equal(resized(made, 128, 256), expected, noise(128, 256, batch=2))


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


def test_scores_name_the_size_that_they_were_measured_at():
    card = models.card(input_size=(384, 512), miou={"camvid/val": 0.75}, iou={"camvid/val": {}})
    wide = resized_card(card, "wide", (384, 640))
    assert wide.miou == {"camvid/val at 384 x 512": 0.75}
    measured = models.card(input_size=(384, 640), miou={**wide.miou, "camvid/val": 0.76})
    tall = resized_card(measured, "tall", (576, 512))
    assert tall.miou == {"camvid/val at 384 x 512": 0.75, "camvid/val at 384 x 640": 0.76}
    assert resized_card(tall, "own", (384, 512)).miou == {
        "camvid/val": 0.75,
        "camvid/val at 384 x 640": 0.76,
    }
