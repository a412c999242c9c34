import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hyperseg_ros.runtime.precision import with_float_depthwise

SCALE = np.float32(0.5)


def model():
    """A quantized 1x1 and a quantized depthwise 3x3, both on the same quantized activation."""
    rng = np.random.default_rng(0)
    constants = {
        "scale": SCALE,
        "zero": np.int8(0),
        "scales": np.array([0.25, 0.5, 1, 2], np.float32),
        "zeros": np.zeros(4, np.int8),
        "mix": rng.integers(-9, 10, (4, 4, 1, 1)).astype(np.int8),
        "deep": rng.integers(-9, 10, (4, 1, 3, 3)).astype(np.int8),
    }
    per_channel = {"axis": 0}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["mix", "scales", "zeros"], ["w1"], **per_channel),
        helper.make_node("DequantizeLinear", ["deep", "scales", "zeros"], ["w2"], **per_channel),
        helper.make_node("Conv", ["d", "w1"], ["mixed"]),
        helper.make_node("Conv", ["d", "w2"], ["deepened"], group=4, pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["mixed", "deepened"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4, 6, 6]) for n in "xy"]
    graph = helper.make_graph(
        nodes,
        "g",
        values[:1],
        values[1:],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(graph, x):
    return onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"x": x})[0]


def test_only_depthwise_leaves_int8_and_its_input_is_not_rounded():
    quantized = model()
    before = quantized.SerializeToString()
    result = with_float_depthwise(quantized)
    assert quantized.SerializeToString() == before
    onnx.checker.check_model(result, full_check=True)
    mixed, deepened = (node for node in result.graph.node if node.op_type == "Conv")
    assert mixed.input[0] == "d"
    assert deepened.input[0] == "x"
    assert "deep" not in {tensor.name for tensor in result.graph.initializer}

    on_the_grid = (
        np.random.default_rng(1).integers(-100, 100, (1, 4, 6, 6)).astype(np.float32) * SCALE
    )
    np.testing.assert_allclose(run(result, on_the_grid), run(quantized, on_the_grid), rtol=1e-6)
    between = on_the_grid + np.float32(0.2)
    assert np.abs(run(result, between) - run(quantized, between)).max() > 0.1


def test_a_model_without_depthwise_or_quantization_stays(tmp_path):
    plain = with_float_depthwise(model())
    del plain.graph.node[:3]
    plain.graph.node[0].input[:] = ["x", "mix.float"]
    plain.graph.initializer.append(
        numpy_helper.from_array(np.ones((4, 4, 1, 1), np.float32), "mix.float")
    )
    again = with_float_depthwise(plain)
    assert [n.op_type for n in again.graph.node] == [n.op_type for n in plain.graph.node]
    x = np.ones((1, 4, 6, 6), np.float32)
    assert run(again, x) == pytest.approx(run(plain, x))
