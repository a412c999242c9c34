"""A graph with its shapes known: who makes a value, who uses it, what is constant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper, shape_inference

Shape = tuple[int, ...]


class GraphIndex:
    """What there is to know of each value of a graph whose dimensions are all numbers.

    Args:
        model: its nodes are in the order of computation.

    Attributes:
        nodes: of the graph, in their order.
        makers: the node that computes a value, by the value's name.
        users: the nodes that take a value, by the value's name.
        shapes: dimensions by name, of every value whose dimensions are known.
        types: element types by name, as `TensorProto.FLOAT`, of every value whose type is known.
    """

    def __init__(self, model: ModelProto) -> None:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
        self.nodes = list(model.graph.node)
        self.makers = {name: node for node in model.graph.node for name in node.output}
        self.users: dict[str, list[NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self.users[name].append(node)
        self.shapes: dict[str, Shape] = {}
        self.types: dict[str, int] = {}
        for value in (*graph.input, *graph.value_info, *graph.output):
            self.types[value.name] = value.type.tensor_type.elem_type
            sides = value.type.tensor_type.shape.dim
            if all(side.HasField("dim_value") for side in sides):
                self.shapes[value.name] = tuple(side.dim_value for side in sides)
        self._outputs = {value.name for value in graph.output}
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.shapes.update((name, tuple(t.dims)) for name, t in self._constants.items())
        self.types.update((name, t.data_type) for name, t in self._constants.items())

    def chain(self, first: NodeProto, length: int) -> list[NodeProto]:
        """A node, the one that alone takes what it makes, and so on; at most so many."""
        nodes = [first]
        while len(nodes) < length:
            made = nodes[-1].output[0]
            if made in self._outputs or len(self.users[made]) != 1:
                break
            nodes += self.users[made]
        return nodes

    def is_constant(self, name: str) -> bool:
        """Whether a value is the same for every frame, such as a quantized weight."""
        node = self.makers.get(name)
        if node is None:
            return not name or name in self._constants
        return all(map(self.is_constant, node.input))

    def constant(self, name: str) -> NDArray[np.generic] | None:
        """The value of an initializer, through any nodes that only reshape or cast it."""
        if name in self._constants:
            return numpy_helper.to_array(self._constants[name])
        node = self.makers.get(name)
        if node is None or node.op_type not in ("Reshape", "Cast") or name not in self.shapes:
            return None
        value = self.constant(node.input[0])
        if value is None:
            return None
        if node.op_type == "Cast":
            value = value.astype(helper.tensor_dtype_to_np_dtype(attribute(node, "to")))
        return value.reshape(self.shapes[name])


def attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    """An attribute of a node, or the default."""
    for entry in node.attribute:
        if entry.name == name:
            return helper.get_attribute_value(entry)
    return default


def drop_unused(model: ModelProto) -> None:
    """Drop nodes and weights that nothing uses any more; nodes are in the order of computation."""
    graph = model.graph
    used = {value.name for value in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            used.update(node.input)
            kept.append(node)
    replace_nodes(model, reversed(kept))
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def replace_nodes(model: ModelProto, nodes: Iterable[NodeProto]) -> None:
    """Give a graph other nodes, and forget the types that were inferred for the old ones."""
    nodes = list(nodes)
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
