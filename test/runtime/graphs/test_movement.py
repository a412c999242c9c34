"""Chains of operators are the same where they move every value to the same place."""

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from hyperseg_ros.runtime.graphs.index import GraphIndex
from hyperseg_ros.runtime.graphs.movement import numbered, places, source_of

SHAPE = (2, 3, 4, 6)


@st.composite
def chains(draw):
    """A model that only moves the values of `x`, [2, 3, 4, 6], about."""
    nodes, weights, shape, name = [], [], SHAPE, "x"

    def constant(values):
        weights.append(numpy_helper.from_array(np.array(values, np.int64), f"c{len(weights)}"))
        return weights[-1].name

    for number in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(("Transpose", "Reshape", "Gather", "Slice")))
        axis = draw(st.integers(0, len(shape) - 1))
        inputs, attributes = [name], {}
        if kind == "Transpose":
            attributes["perm"] = draw(st.permutations(range(len(shape))))
            shape = tuple(shape[axis] for axis in attributes["perm"])
        elif kind == "Reshape":
            shape = draw(st.sampled_from((shape[::-1], (int(np.prod(shape)),), (*shape, 1))))
            inputs.append(constant(shape))
        elif kind == "Gather":
            taken = draw(st.lists(st.integers(0, shape[axis] - 1), min_size=1, max_size=5))
            inputs.append(constant(taken))
            attributes["axis"] = axis
            shape = (*shape[:axis], len(taken), *shape[axis + 1 :])
        else:
            start = draw(st.integers(0, shape[axis] - 1))
            stop = draw(st.integers(start + 1, shape[axis]))
            inputs += [constant([start]), constant([stop]), constant([axis])]
            shape = (*shape[:axis], stop - start, *shape[axis + 1 :])
        name = f"y{number}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
    graph = helper.make_graph(
        nodes,
        "moves",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


@given(model=chains())
def test_places_are_where_the_operators_take_the_values(model):
    onnx.checker.check_model(model, full_check=True)
    index, name = GraphIndex(model), model.graph.output[0].name
    assert source_of(index, name)[-1] == "x"
    x = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    (moved,) = ReferenceEvaluator(model).run(None, {"x": x})
    assert np.array_equal(x.ravel()[places(index, "x", name)], moved)


def test_what_computes_is_no_movement():
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Flatten", ["y"], ["z"])],
        "computes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, (2, 72))],
    )
    index = GraphIndex(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))
    assert source_of(index, "z") == ["z", "y"]
    assert np.array_equal(places(index, "y", "z"), numbered(SHAPE).reshape(2, 72))
