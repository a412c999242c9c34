"""FP16 from FP32: which values become half, which stay, and what that does to labels."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import models
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model
from hyperseg_ros.runtime.precision import to_half
from hyperseg_ros.runtime.precision.half import rounded_to_half
from hyperseg_ros.simulation import StreetCamera

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def session(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def types(model):
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    return {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}


def small_model(nodes, initializers=(), shape=(1, 4, 8, 8)):
    """A float graph from `x` to `y` with casts at its border."""
    graph = helper.make_graph(
        [helper.make_node("Cast", ["image"], ["x"], to=FLOAT), *nodes],
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in initializers],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("derive", [to_half, rounded_to_half])
def test_the_model_itself_is_left_alone(derive):
    model = models.palette_model(models.card(), batch=1)
    before = model.SerializeToString()
    derive(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("derive", [to_half, rounded_to_half])
def test_integers_that_half_holds_give_the_same_bytes(derive):
    image = np.random.default_rng(0).integers(0, 256, (1, 24, 32, 3), np.uint8)
    model = derive(models.palette_model(models.card(), batch=1))
    labels, confidence = session(model).run(None, {"image": image})
    expected = models.expected(image)
    assert np.array_equal(labels, expected[0])
    assert np.array_equal(confidence, expected[1])


def test_all_but_the_head_is_half():
    model = onnx.load(str(find_model(DEFAULT_MODEL)))
    half = to_half(model)
    onnx.checker.check_model(half, full_check=True)
    kinds = types(half)
    by_operator = {}
    for node in half.graph.node:
        for name in node.output:
            by_operator.setdefault(node.op_type, set()).add(kinds.get(name))
    assert by_operator["Conv"] == {HALF}
    assert by_operator["Exp"] == {FLOAT}
    assert by_operator["Reciprocal"] == {FLOAT}
    assert by_operator["ReduceMean"] == {FLOAT}
    large = [t for t in half.graph.initializer if np.prod(t.dims) > 64]
    assert {t.data_type for t in large} <= {HALF, TensorProto.INT64, TensorProto.INT32}
    # At the border, one each way for a mean, one a class into the head: no more.
    assert sum(node.op_type == "Cast" for node in half.graph.node) <= 8 + 11


def test_the_shipped_model_keeps_its_labels():
    model = onnx.load(str(find_model(DEFAULT_MODEL)))
    height, width = (
        side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim[1:3]
    )
    image = StreetCamera(1, width, height).frame(40).image[None]
    labels, confidence = session(model).run(None, {"image": image})
    for derived in (to_half(model), rounded_to_half(model)):
        found_labels, found_confidence = session(derived).run(None, {"image": image})
        assert np.mean(found_labels == labels) >= 0.995
        assert np.mean(np.abs(found_confidence.astype(int) - confidence) <= 4) >= 0.995


def test_rounding_loses_what_half_loses():
    # 2049 is between two halves, 2048 and 2050; the difference survives in FP32 only.
    nodes = [
        helper.make_node("Add", ["x", "large"], ["sum"]),
        helper.make_node("Sub", ["sum", "large"], ["difference"]),
        helper.make_node("Cast", ["difference"], ["y"], to=TensorProto.UINT8),
    ]
    model = small_model(nodes, [("large", np.float32(2048))])
    image = np.ones((1, 4, 8, 8), np.uint8)
    assert (session(model).run(None, {"image": image})[0] == 1).all()
    assert (session(rounded_to_half(model)).run(None, {"image": image})[0] == 0).all()


def test_a_mean_over_a_large_map_does_not_overflow():
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "axes"], ["mean"], keepdims=1),
        helper.make_node("Relu", ["mean"], ["positive"]),
        helper.make_node("Cast", ["positive"], ["y"], to=TensorProto.UINT8),
    ]
    model = small_model(
        nodes, [("scale", np.float32(1)), ("axes", np.array([2, 3]))], shape=(1, 1, 64, 64)
    )
    half = to_half(model)
    kinds = types(half)
    assert kinds["mean"] == FLOAT
    assert kinds["positive"] == HALF
    image = np.full((1, 1, 64, 64), 200, np.uint8)
    assert session(half).run(None, {"image": image})[0].item() == 200


def test_a_value_used_in_both_precisions_is_cast_once():
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["a"]),
        helper.make_node("ReduceMean", ["x", "axes"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Mul", ["sum", "a"], ["product"]),
        helper.make_node("Cast", ["product"], ["y"], to=TensorProto.UINT8),
    ]
    half = to_half(small_model(nodes, [("axes", np.array([1, 2, 3]))]))
    onnx.checker.check_model(half, full_check=True)
    casts = [node.output[0] for node in half.graph.node if node.op_type == "Cast"]
    assert sorted(casts) == ["a.half", "b.half", "x", "x.float", "y"]


def test_resize_keeps_its_scales_and_shapes_made_from_nothing_become_half():
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["up"], mode="linear"),
        helper.make_node("ConstantOfShape", ["none"], ["zero"]),
        helper.make_node("Add", ["up", "zero"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["y"], to=TensorProto.UINT8),
    ]
    model = small_model(
        nodes,
        [("scales", np.array([1, 1, 2, 2], np.float32)), ("none", np.zeros(0, np.int64))],
    )
    half = to_half(model)
    onnx.checker.check_model(half, full_check=True)
    assert types(half)["sum"] == HALF
    image = np.full((1, 4, 8, 8), 7, np.uint8)
    assert (session(half).run(None, {"image": image})[0] == 7).all()
