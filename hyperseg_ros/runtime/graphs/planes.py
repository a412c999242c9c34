"""Class planes that keep their channel axis, so that a GPU fuses the last resize with the argmax.

A model file cuts the resized scores into a plane [N, H, W] for each class, which TensorRT writes to
memory. Cut as [N, 1, H, W] they stay in the kernel that makes them, down to label and confidence.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto

from hyperseg_ros.runtime.graphs.index import GraphIndex, Shape, drop_unused, replace_nodes
from hyperseg_ros.runtime.graphs.movement import numbered, places, source_of
from hyperseg_ros.runtime.graphs.writer import GraphWriter

_ELEMENTWISE = (
    *("Add", "Sub", "Mul", "Div", "Max", "Min", "Exp", "Reciprocal"),
    *("Equal", "Greater", "Less", "Where"),
)


def with_planes_in_place(model: ModelProto) -> ModelProto:
    """The same network with class planes [N, 1, H, W] up to its outputs.

    Args:
        model: of a fixed batch, with plain weights; it is left as it is.
    """
    result = ModelProto()
    result.CopyFrom(model)
    _Rewriting(result).run()
    drop_unused(result)
    return result


class _Rewriting:
    """One pass over a graph; what it makes needless is left for `drop_unused`."""

    def __init__(self, model: ModelProto) -> None:
        self._model, self._index = model, GraphIndex(model)
        self._write = GraphWriter(model, "planes")
        self._outputs = {value.name for value in model.graph.output}
        self._planes: dict[str, str] = {}
        """Values [N, H, W] of the model file: name of the same as [N, 1, H, W]."""

    def run(self) -> None:
        for node in self._model.graph.node:
            if not self._elementwise(node):
                self._write.copy(node, node.input)
                self._cut(node)
        replace_nodes(self._model, self._write.nodes)

    def _cut(self, node: NodeProto) -> None:
        """Note a value that is one channel of a map [N, C, H, W], and cut it in place too."""
        index, name = self._index, node.output[0]
        shape = index.shapes.get(name, ())
        if len(shape) != 3:
            return
        for source in source_of(index, name)[1:]:
            whole = index.shapes[source]
            if len(whole) != 4 or (whole[0], *whole[2:]) != shape:
                continue
            moved = places(index, source, name)
            channel = int(moved.flat[0]) // (shape[1] * shape[2])
            if np.array_equal(moved, numbered(whole)[:, channel]):
                limits = [
                    self._write.constant(np.array([limit], np.int64))
                    for limit in (channel, channel + 1, 1)
                ]
                self._put(name, self._write.add("Slice", [source, *limits], f"{name}.plane"))
                return

    def _elementwise(self, node: NodeProto) -> bool:
        """Write an operator on planes in place; whether the node is one."""
        if node.op_type not in _ELEMENTWISE or self._outputs.intersection(node.output):
            return False
        if not any(name in self._planes for name in node.input):
            return False
        shape = self._index.shapes.get(node.output[0], ())
        inputs = [self._in_place(name, shape) for name in node.input]
        if any(name is None for name in inputs):
            return False
        made = f"{node.output[0]}.plane"
        self._write.copy(node, [name for name in inputs if name is not None], made)
        self._put(node.output[0], made)
        return True

    def _in_place(self, name: str, shape: Shape) -> str | None:
        """An input of an operator on planes [N, H, W]: a plane in place, or a constant."""
        if name in self._planes:
            return self._planes[name]
        value = self._index.constant(name)
        if value is None or value.size == 1:
            return None if value is None else name
        if value.shape != shape:
            return None
        uniform = value.flat[0]
        if (value == uniform).all():
            return self._write.constant(np.array(uniform))
        return self._write.constant(value[:, None])

    def _put(self, name: str, made: str) -> None:
        self._planes[name] = made
        self._write.reshape(made, self._index.shapes[name], name)
