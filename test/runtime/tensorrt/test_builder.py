"""Building with TensorRT-RTX, which needs no GPU for it; on a robot TensorRT runs the same code."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import models

pytest.importorskip("tensorrt_rtx_bindings")

from hyperseg_ros.runtime.backends.base import BackendError
from hyperseg_ros.runtime.backends.tensorrt.builder import EngineError, build
from hyperseg_ros.runtime.backends.tensorrt.library import find_library
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model
from hyperseg_ros.runtime.precision import quantize_encoder, to_half, with_float_depthwise

pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")

CAPABILITIES = [(8, 6), (8, 9)]


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
    built = build(
        library, shipped(precision), report=moments.append, compute_capabilities=CAPABILITIES
    )
    assert len(built.engine) > 1_000_000
    assert built.seconds > 0
    shares = [moment.share for moment in moments]
    assert shares == sorted(shares)
    assert shares[-1] > 0.5


def test_timings_go_in_and_out_and_foreign_ones_are_ignored(library):
    model = models.palette_model(models.card(), batch=1)
    first = build(library, model, compute_capabilities=[(8, 6)])
    assert first.timing_cache
    again = build(library, model, compute_capabilities=[(8, 6)], timing_cache=first.timing_cache)
    assert again.engine
    assert build(library, model, compute_capabilities=[(8, 6)], timing_cache=b"foreign").engine


def test_a_node_that_is_refused_is_named(library):
    model = models.palette_model(models.card(), batch=1)
    model.graph.node[3].op_type = "NoSuchOperator"
    model.graph.node[3].name = "absolute_value"
    with pytest.raises(
        EngineError, match=r"TensorRT-RTX .* node 'absolute_value', operator NoSuchOperator: "
    ):
        build(library, model, compute_capabilities=[(8, 6)])
    model.graph.node[3].name = ""
    with pytest.raises(EngineError, match="node that makes 'absolute', operator NoSuchOperator"):
        build(library, model, compute_capabilities=[(8, 6)])


def test_uint8_inside_the_graph_is_refused_with_its_operator(library):
    """The rule that export keeps: the first operator on the image is the cast."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 8, 8, 3])
    turned = helper.make_tensor_value_info("turned", TensorProto.UINT8, [1, 3, 8, 8])
    node = helper.make_node("Transpose", ["image"], ["turned"], name="turn", perm=[0, 3, 1, 2])
    graph = helper.make_graph([node], "g", [image], [turned])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    with pytest.raises(EngineError, match=r"TensorRT-RTX"):
        build(library, model, compute_capabilities=[(8, 6)])


def test_a_gpu_that_it_has_no_code_for(library):
    model = models.palette_model(models.card(), batch=1)
    with pytest.raises(BackendError, match="cannot build for SM30; build on the machine itself"):
        build(library, model, compute_capabilities=[(8, 6), (3, 0)])
