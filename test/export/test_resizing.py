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
    ("name", "batch", "operators"),
    [
        ("hyperseg-s-lite0", 1, "convolution"),
        ("hyperseg-s-lite0", 2, "convolution"),
        ("hyperseg-s-lite0", 1, "product"),
        ("hyperseg-s-cityscapes", 1, "convolution"),
        ("hyperseg-s-lite0+regular", 1, "convolution"),
    ],
)
def test_it_equals_an_export_of_that_size(tmp_path, exports, name, batch, operators):
    """In float32, where nothing but the order of sums may differ."""
    _, network = exports(name)
    sizes = (3, 2), (2, 4)
    files = []
    for rows, columns in sizes:
        size = rows * network.size_divisor, columns * network.size_divisor
        path = tmp_path / f"{rows}.onnx"
        card = models.card(input_size=size)
        write_model_file(path, network, card, batch, half_weights=False, operators=operators)
        files.append(onnx.load(str(path)))
    image = noise(*size, batch)
    found, expected = results(resized(files[0], *size), image), results(files[1], image)
    assert np.mean(found[0] == expected[0]) > 0.9999
    assert np.abs(found[1].astype(int) - expected[1]).max() <= 1


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
