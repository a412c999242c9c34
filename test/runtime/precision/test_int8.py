"""An INT8 encoder: what is quantized, how, and that the model stays a model file."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

import models
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, read_card
from hyperseg_ros.runtime.precision import (
    QuantizationError,
    is_quantized,
    quantize_encoder,
    to_half,
)
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


def test_every_encoder_convolution_is_int8_and_nothing_else(int8):
    made_by = {name: node for node in int8.graph.node for name in node.output}
    quantized, floating = 0, 0
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
            assert not any(".encoder." in name for name in node.input)
    assert quantized == 54
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
