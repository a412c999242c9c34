"""Parts of a graph are replaced, and nothing else."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("onnxruntime")
from graph_runs import run

import models
from hyperseg_ros.runtime.graphs.replacement import Part, with_parts_replaced


def scaled(*, shown=(), opset=18):
    """`y = -(2 * x) + 1` in three nodes, float32 [3]; what is shown is an output as well."""
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["double"]),
        helper.make_node("Neg", ["double"], ["negative"]),
        helper.make_node("Add", ["negative", "one"], ["y"]),
    ]
    inputs, *outputs = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in ("x", "y", *shown)
    )
    weights = [
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in (("one", 1), ("two", 2))
    ]
    graph = helper.make_graph(nodes, "scaled", [inputs], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def doubled_and_negated(index):
    """Finds `-(2 * x)` and multiplies by -2 instead."""
    for first in index.nodes:
        nodes = index.chain(first, 2)
        if [node.op_type for node in nodes] == ["Mul", "Neg"]:
            made = nodes[-1].output[0]

            def write(writer, name=first.input[0], made=made):
                writer.add("Mul", [name, writer.constant(np.array(-2, np.float32))], made)

            yield Part(nodes, write)


def added(index):
    """Finds `x + 1` and subtracts `-x` from 1 instead."""
    for node in index.nodes:
        if node.op_type == "Add":

            def write(writer, node=node):
                negative = writer.add("Neg", [node.input[0]], "other way")
                writer.add("Sub", [node.input[1], negative], node.output[0])

            yield Part([node], write)


def tripled(index):
    """Finds `a - b` and multiplies it by 3."""
    for node in index.nodes:
        if node.op_type == "Sub":

            def write(writer, node=node):
                difference = writer.add("Sub", node.input, "difference")
                three = writer.constant(np.array(3, np.float32))
                writer.add("Mul", [difference, three], node.output[0])

            yield Part([node], write)


@pytest.mark.parametrize(
    ("finders", "operators"),
    [
        ([doubled_and_negated], ["Mul", "Add"]),
        ([added], ["Mul", "Neg", "Neg", "Sub"]),
        ([doubled_and_negated, added], ["Mul", "Neg", "Sub"]),
        ([added, doubled_and_negated], ["Mul", "Neg", "Sub"]),
    ],
)
def test_each_part_is_replaced_where_it_was(finders, operators):
    model = scaled()
    before = model.SerializeToString()

    replaced = with_parts_replaced(model, finders)

    onnx.checker.check_model(replaced, full_check=True)
    assert [node.op_type for node in replaced.graph.node] == operators
    (found,) = run(replaced, "x", np.array([0, 1.5, -4], np.float32))
    np.testing.assert_array_equal(found, [1, -2, 9])
    assert model.SerializeToString() == before


def test_weights_that_nothing_uses_any_more_are_dropped():
    replaced = with_parts_replaced(scaled(), [doubled_and_negated])
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in replaced.graph.initializer}
    assert len(weights) == 2
    assert sorted(map(float, weights.values())) == [-2, 1]


def test_a_graph_can_be_rewritten_again():
    once = with_parts_replaced(scaled(), [doubled_and_negated])
    twice = with_parts_replaced(with_parts_replaced(once, [added]), [tripled])
    onnx.checker.check_model(twice, full_check=True)
    (found,) = run(twice, "x", np.array([0, 1.5, -4], np.float32))
    np.testing.assert_array_equal(found, [3, -6, 27])


@pytest.mark.parametrize(
    "model",
    [
        scaled(shown=["double"]),  # an output amid a part stays
        scaled(opset=12),
        models.with_a_branch(scaled(), "x"),
    ],
)
def test_a_graph_that_does_not_allow_it_is_left_as_it_is(model):
    before = model.SerializeToString()
    assert with_parts_replaced(model, [doubled_and_negated]) is model
    assert model.SerializeToString() == before
