"""An INT8 encoder: what is quantized, how, and that the model stays a model file."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

import models
from hyperseg_ros.runtime.backends import BackendError, open_backend
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, read_card
from hyperseg_ros.runtime.precision import (
    QuantizationError,
    is_quantized,
    quantize_encoder,
    to_half,
)
from hyperseg_ros.runtime.precision.saturation import may_saturate
from hyperseg_ros.simulation import StreetCamera


@pytest.fixture(scope="module")
def fp32():
    return onnx.load(str(find_model(DEFAULT_MODEL)))


@pytest.fixture(scope="module")
def size(fp32):
    return tuple(side.dim_value for side in fp32.graph.input[0].type.tensor_type.shape.dim[1:3])


def frames(size, seeds):
    return [StreetCamera(seed, size[1], size[0]).frame(40).image for seed in seeds]


@pytest.fixture(scope="module")
def int8(fp32, size):
    return quantize_encoder(fp32, frames(size, (1, 2, 3)))


def test_it_is_still_a_model_file(int8, fp32, tmp_path):
    onnx.checker.check_model(int8, full_check=True)
    path = tmp_path / "int8.onnx"
    onnx.save(int8, str(path))
    assert read_card(path).name == read_card(find_model(DEFAULT_MODEL)).name
    assert list(int8.metadata_props) == list(fp32.metadata_props)
    assert is_quantized(int8)
    assert not is_quantized(fp32)


def test_every_encoder_convolution_but_the_first_two_is_int8_and_nothing_else(int8):
    made_by = {name: node for node in int8.graph.node for name in node.output}
    quantized, floating, in_encoder = 0, 0, 0
    for node in int8.graph.node:
        if node.op_type not in ("Conv", "MatMul"):
            continue
        inputs = [made_by.get(name) for name in node.input[:2]]
        kinds = {source.op_type if source else "constant" for source in inputs}
        if kinds == {"DequantizeLinear"}:
            quantized += 1
            assert ".encoder." in inputs[1].input[0]
        else:
            floating += 1
            assert "DequantizeLinear" not in kinds
            in_encoder += any(".encoder." in name for name in node.input)
    assert quantized == 52
    assert in_encoder == 2
    assert floating > 10


def test_scales_are_symmetric_by_tensor_and_by_channel(int8):
    constants = {t.name: numpy_helper.to_array(t) for t in int8.graph.initializer}
    for node in int8.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            scale, zero = constants[node.input[1]], constants[node.input[2]]
            assert zero.dtype == np.int8
            assert not zero.any()
            assert (scale > 0).all()
            weights = constants.get(node.input[0])
            assert scale.shape == (() if weights is None else weights.shape[:1])
    biases = [t for t in int8.graph.initializer if t.name.endswith(".bias")]
    assert {bias.data_type for bias in biases} == {TensorProto.FLOAT}


def test_labels_stay(int8, fp32, size):
    (image,) = frames(size, (7,))
    feed = {"image": image[None]}
    labels, found = (
        onnxruntime.InferenceSession(model.SerializeToString()).run(["labels"], feed)[0]
        for model in (fp32, int8)
    )
    assert np.mean(labels == found) > 0.95


def test_in_half_precision_no_scale_is_lost(int8):
    half = to_half(int8)
    onnx.checker.check_model(half, full_check=True)
    constants = {t.name: numpy_helper.to_array(t) for t in half.graph.initializer}
    full = {t.name: numpy_helper.to_array(t) for t in int8.graph.initializer}
    raised = 0
    for node in half.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            continue
        weights, scale = constants[node.input[0]], constants[node.input[1]]
        assert scale.dtype == np.float16
        assert (scale >= 2**-14).all()
        before_scale = full[node.input[1].removesuffix(".half")]
        raised += int((before_scale < 2**-14).sum())
        shape = (-1, 1, 1, 1)
        before = full[node.input[0]] * before_scale.reshape(shape)
        after = weights * scale.astype(np.float32).reshape(shape)
        assert np.abs(after - before).max() <= max(2**-14, 1e-3 * np.abs(before).max())
    # The shipped model has channels that training left near zero.
    assert raised > 0


def test_what_cannot_be_quantized_says_why(int8, fp32, size):
    with pytest.raises(QuantizationError, match="quantized already"):
        quantize_encoder(int8, [])
    with pytest.raises(QuantizationError, match="no encoder to quantize"):
        quantize_encoder(models.palette_model(models.card(), batch=1), [])
    with pytest.raises(QuantizationError, match="no frames to calibrate with"):
        quantize_encoder(fp32, [])
    with pytest.raises(QuantizationError, match=r"is uint8 \(8, 8, 3\), not uint8 \(384, 512, 3\)"):
        quantize_encoder(fp32, [np.zeros((8, 8, 3), np.uint8)])


def test_no_sum_of_two_products_saturates_16_bits(int8):
    assert not may_saturate(int8)
    largest, pairs = [], 0
    for tensor in int8.graph.initializer:
        if tensor.data_type != TensorProto.INT8 or len(tensor.dims) != 4 or tensor.dims[1] == 1:
            continue
        weights = numpy_helper.to_array(tensor).astype(int)
        weights = np.pad(weights, ((0, 0), (0, weights.shape[1] % 2), (0, 0), (0, 0)))
        first, second = weights[:, 0::2], weights[:, 1::2]
        # A CPU without VNNI adds unsigned bytes times these in 16 bits.
        assert (255 * (first.clip(0) + second.clip(0))).max() < 2**15
        assert (255 * (first.clip(max=0) + second.clip(max=0))).min() >= -(2**15)
        largest += [*np.abs(weights).reshape(len(weights), -1).max(axis=1)]
        pairs += first.size
    assert np.median(largest) > 100  # of 127: a fraction of a bit is given up
    assert pairs > 100_000


AGREEMENT = """
import sys, numpy, onnx
from pathlib import Path
from hyperseg_ros.runtime.backends.openvino import OpenVinoBackend
fp32, int8, images = sys.argv[1:]
images = numpy.load(images)
fp32, int8 = (OpenVinoBackend(Path(p), precision="fp32") for p in (fp32, int8))
print(numpy.mean([(fp32.infer(i[None])[0] == int8.infer(i[None])[0]).mean() for i in images]))
"""


@pytest.mark.parametrize("limit", ["", "AVX512_CORE", "AVX2"])
def test_labels_stay_on_openvino_with_vnni_and_without(int8, size, tmp_path, limit):
    """oneDNN's own variable takes instructions away, if the CPU has them."""
    pytest.importorskip("openvino")
    onnx.save(int8, str(tmp_path / "int8.onnx"))
    np.save(tmp_path / "images.npy", frames(size, (7, 8)))
    files = [find_model(DEFAULT_MODEL), tmp_path / "int8.onnx", tmp_path / "images.npy"]
    done = subprocess.run(
        [sys.executable, "-c", AGREEMENT, *map(str, files)],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": limit},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert float(done.stdout) > 0.97


def test_weights_that_would_saturate_are_refused_where_they_do(int8, tmp_path, monkeypatch):
    openvino_backend = pytest.importorskip("hyperseg_ros.runtime.backends.openvino")
    full = onnx.ModelProto()
    full.CopyFrom(int8)
    for tensor in full.graph.initializer:
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 4:
            weights = np.full(tuple(tensor.dims), 127, np.int8)
            tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
    assert may_saturate(full)
    path = tmp_path / "full.onnx"
    onnx.save(full, str(path))
    monkeypatch.setattr(openvino_backend, "adds_bytes_in_16_bits", lambda: True)
    with pytest.raises(BackendError, match="saturate on this CPU, which has no VNNI"):
        open_backend("openvino", path)
    backend = open_backend("auto", path)
    assert backend.name == "onnxruntime"
    assert "saturate on this CPU" in backend.reason
    assert backend.reason.endswith(": using ONNX Runtime")
    monkeypatch.setattr(openvino_backend, "adds_bytes_in_16_bits", lambda: False)
    assert open_backend("openvino", path).name == "openvino"
