"""Building with TensorRT-RTX, which needs no GPU for it; on a robot TensorRT runs the same code."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import models

pytest.importorskip("tensorrt_rtx_bindings")

from hyperseg_ros.runtime.backends.tensorrt.builder import EngineError, build
from hyperseg_ros.runtime.backends.tensorrt.library import Library, find_library
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model
from hyperseg_ros.runtime.precision import quantize_encoder, to_half, with_float_depthwise

pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")


@pytest.fixture(scope="module")
def library():
    return find_library()


def shipped(precision):
    model = onnx.load(str(find_model(DEFAULT_MODEL)))
    if precision == "int8":
        height, width = (
            side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim[1:3]
        )
        frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        model = with_float_depthwise(quantize_encoder(model, [frame]))
    return model if precision == "fp32" else to_half(model)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_shipped_model_compiles(library, precision):
    moments = []
    built = build(library, shipped(precision), report=moments.append)
    assert len(built.engine) > 1_000_000
    assert built.seconds > 0
    shares = [moment.share for moment in moments]
    assert shares == sorted(shares)
    assert shares[-1] > 0.5


def test_timings_are_kept_where_building_takes_any(library):
    model = models.palette_model(models.card(), batch=1)
    assert not build(library, model).timing_cache
    # Its bindings still have the calls of TensorRT, which measures.
    measuring = Library(library.module, "TensorRT", "10.3.0")
    first = build(measuring, model)
    assert first.timing_cache
    assert build(measuring, model, timing_cache=first.timing_cache).engine
    assert build(measuring, model, timing_cache=b"foreign").engine


def test_a_node_that_is_refused_is_named(library):
    model = models.palette_model(models.card(), batch=1)
    model.graph.node[3].op_type = "NoSuchOperator"
    model.graph.node[3].name = "absolute_value"
    with pytest.raises(
        EngineError, match=r"TensorRT-RTX .* node 'absolute_value', operator NoSuchOperator: "
    ):
        build(library, model)
    model.graph.node[3].name = ""
    with pytest.raises(EngineError, match="node that makes 'absolute', operator NoSuchOperator"):
        build(library, model)


def test_uint8_inside_the_graph_is_refused_with_its_operator(library):
    """The rule that export keeps: the first operator on the image is the cast."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 8, 8, 3])
    turned = helper.make_tensor_value_info("turned", TensorProto.UINT8, [1, 3, 8, 8])
    node = helper.make_node("Transpose", ["image"], ["turned"], name="turn", perm=[0, 3, 1, 2])
    graph = helper.make_graph([node], "g", [image], [turned])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    with pytest.raises(EngineError, match=r"TensorRT-RTX"):
        build(library, model)
