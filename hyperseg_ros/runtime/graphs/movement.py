"""What operators that only move values do, found by moving the numbers of the values.

An exporter says the same layout in many ways. Two chains of such operators are the same where they
take each value to the same place, whatever they are made of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from hyperseg_ros.runtime.graphs.index import GraphIndex, Shape, attribute

Places = NDArray[np.int32]
"""For each element of a value the number, in C order, of the element of the source it is from."""

_MOVING = ("Transpose", "Reshape", "Gather", "Slice", "Squeeze", "Unsqueeze", "Flatten", "Identity")


def numbered(shape: Shape) -> Places:
    """The places of a value that was not moved."""
    return np.arange(np.prod(shape), dtype=np.int32).reshape(shape)


def source_of(index: GraphIndex, name: str) -> list[str]:
    """The values that a value is a mere rearrangement of, itself first."""
    sources = [name]
    while True:
        node = index.makers.get(sources[-1])
        if node is None or not _moves(index, node):
            return sources
        sources.append(node.input[0])


def places(index: GraphIndex, source: str, name: str) -> Places:
    """Where the elements of a value come from, given one of its sources."""
    if name == source:
        return numbered(index.shapes[source])
    node = index.makers[name]
    moved = places(index, source, node.input[0])
    if node.op_type == "Transpose":
        return moved.transpose(attribute(node, "perm", range(moved.ndim)[::-1]))
    if node.op_type == "Gather":
        (taken,) = _constants(index, node)
        moved = moved.take(taken, axis=attribute(node, "axis", 0))
    if node.op_type == "Slice":
        starts, stops, axes = (constant.tolist() for constant in _constants(index, node))
        cut = [slice(None)] * moved.ndim
        for start, stop, axis in zip(starts, stops, axes, strict=True):
            cut[axis] = slice(start, stop)
        moved = moved[tuple(cut)]
    return moved.reshape(index.shapes[name])


def _moves(index: GraphIndex, node: NodeProto) -> bool:
    known = node.input[0] in index.shapes and node.output[0] in index.shapes
    return (
        known
        and node.op_type in _MOVING
        and len(_constants(index, node)) == ({"Gather": 1, "Slice": 3}.get(node.op_type, 0))
    )


def _constants(index: GraphIndex, node: NodeProto) -> list[NDArray[np.int64]]:
    """What says which elements a node takes; nothing where that is not constant."""
    if node.op_type == "Gather":
        names = node.input[1:2]
    elif node.op_type == "Slice":
        names = node.input[1:]
    else:
        return []
    values = [index.constant(name) for name in names]
    if len(values) == 4 and values[3] is not None and (values[3] == 1).all():
        values.pop()  # steps
    return [value.astype(np.int64) for value in values if value is not None]
