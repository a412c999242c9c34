"""A model file for another input size, rewritten with `onnx` alone.

The weights of a network do not depend on the size of its input. Constants that an exporter stores
do: target shapes, groups, position planes, indices of pixels, and biases repeated for each patch.
`Resizer` finds out how every dimension follows from the input's height and width (`sides`), and
computes these constants again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from hyperseg_ros.runtime.graphs.index import (
    GraphIndex,
    attribute,
    drop_unused,
    replace_nodes,
)
from hyperseg_ros.runtime.graphs.patchwise import Patches
from hyperseg_ros.runtime.graphs.sides import (
    STRIDE,
    Side,
    Sides,
    Size,
    along_of,
    map_side,
    number,
    padded,
    regrouped,
)
from hyperseg_ros.runtime.graphs.writer import GraphWriter
from hyperseg_ros.runtime.model_file import INPUT
from hyperseg_ros.sizes import check_size

_FEWEST_HALVED = 256
"""As in `hyperseg export`: constants of fewer numbers are not stored as float16."""

_MAPS = ("Conv", "Resize", "MaxPool", "AveragePool")
_ON_AXES = ("Split", "Slice", "Softmax", "QuantizeLinear", "DequantizeLinear", "Clip")
_LINE_TOLERANCE = 2e-3
"""Of coordinates stored as float16."""


class ResizeError(ValueError):
    """A graph that does not tell how it follows from its input's size; says what to do."""


def resized(model: ModelProto, height: int, width: int) -> ModelProto:
    """The same network for images of another size.

    Args:
        model: of a model file, of a fixed batch; it is left as it is.
        height: of its input, in pixels.
        width: of its input.

    Raises:
        ValueError: the network takes no such size; the nearest valid one is named.
        ResizeError: the graph cannot be rewritten; export the checkpoint with `--size`.
    """
    resizer = Resizer(model)
    check_size(height, width, resizer.divisor)
    return resizer.to(height, width)


class Resizer:
    """What a graph's dimensions depend on.

    Args:
        model: as `resized` takes it.

    Raises:
        ResizeError: the graph cannot be rewritten.
    """

    def __init__(self, model: ModelProto) -> None:
        self._model, self._index = model, GraphIndex(model)
        shape = self._index.shapes.get(INPUT)
        if shape is None:
            raise ResizeError("the graph's batch is free; only one of a fixed batch can be resized")
        batch, height, width, colours = shape
        if height % STRIDE or width % STRIDE or min(height, width) < 2 * STRIDE:
            raise self._unknown(f"its input of {height} x {width}")
        self._size = Size(height // STRIDE, width // STRIDE)
        self._sides: dict[str, Sides] = {
            INPUT: (
                number(batch),
                map_side("height", height, self._size),
                map_side("width", width, self._size),
                number(colours),
            )
        }
        for node in model.graph.node:
            self._follow(node)
        if height == width == self.divisor:
            # Its smallest maps are single pixels, of which an exporter leaves out what it can.
            raise self._unknown(f"its input of {height} x {width} is the smallest there is")

    @cached_property
    def divisor(self) -> int:
        """What input heights and widths must be multiples of."""
        numbers = [f.number for sides in self._sides.values() for side in sides for f in side]
        return STRIDE * math.lcm(*(value.denominator for value in numbers))

    def to(self, height: int, width: int) -> ModelProto:
        """The graph for a valid size."""
        size = Size(height // STRIDE, width // STRIDE)
        if size == self._size:
            same = ModelProto()
            same.CopyFrom(self._model)
            return same
        return _Rewriting(self._model, self._index, self._sides, self._size, size).run()

    def _follow(self, node: NodeProto) -> None:
        """Note the dimensions of what a node makes."""
        if all(map(self._index.is_constant, node.output)):
            return
        for name in node.output:
            if name:
                self._sides[name] = self._sides_of(node, name)
                found, known = self._size.shape(self._sides[name]), self._index.shapes.get(name)
                if found != known:
                    raise self._unknown(f"{node.op_type} {node.name}: {known} taken for {found}")

    def _sides_of(self, node: NodeProto, name: str) -> Sides:
        shape = self._index.shapes.get(name)
        if shape is None:
            raise self._unknown(f"the shape of {name}")
        first = self._of(node.input[0])
        if len(shape) == 4 and node.op_type in (*_MAPS, "Pad"):
            return self._sides_of_map(node, first, shape)
        if node.op_type == "Expand" and len(shape) == len(first) == 4:
            # The global average of a map, spread over the map.
            return (
                *first[:2],
                map_side("height", shape[2], self._size),
                map_side("width", shape[3], self._size),
            )
        if node.op_type in ("Transpose", "Reshape", "Squeeze", "Unsqueeze"):
            return self._rearranged(node, first, shape)
        if node.op_type == "Gather":
            return self._gathered(node, first)
        if node.op_type == "Concat":
            axis = attribute(node, "axis") % len(shape)
            sides = next(self._of(i) for i in node.input if not self._index.is_constant(i))
            return (*sides[:axis], number(shape[axis]), *sides[axis + 1 :])
        if node.op_type == "MatMul":
            second = self._of(node.input[1])
            return (*self._broadcast([first[:-2], second[:-2]]), first[-2], second[-1])
        if node.op_type in _ON_AXES or node.op_type.startswith("Reduce") or len(node.input) == 1:
            if len(shape) != len(first):
                raise self._unknown(f"{node.op_type} {node.name}")
            return tuple(
                side if self._size.of(side) == length else number(length)
                for side, length in zip(first, shape)
            )
        return self._broadcast([self._of(name) for name in node.input if name])

    def _rearranged(self, node: NodeProto, first: Sides, shape: tuple[int, ...]) -> Sides:
        """Of what has the same elements in another shape or order."""
        if node.op_type == "Transpose":
            return tuple(first[axis] for axis in attribute(node, "perm", range(len(first))[::-1]))
        if node.op_type == "Reshape":
            found = regrouped(first, shape, self._size)
            if found is None:
                raise self._unknown(f"Reshape {node.name}")
            return found
        rest = iter([side for side in first if self._size.of(side) != 1 or along_of(side)])
        return tuple(() if length == 1 else next(rest, ()) for length in shape)

    def _sides_of_map(self, node: NodeProto, first: Sides, shape: tuple[int, ...]) -> Sides:
        """Of a map, [N, C, H, W]."""
        if node.op_type == "Pad":
            return tuple(
                padded(side, length - self._size.of(side)) if along_of(side) else number(length)
                for side, length in zip(first, shape)
            )
        channels = self._of(node.input[1])[0] if node.op_type == "Conv" else first[1]
        return (
            first[0],
            channels,
            self._map_side(first[2], shape[2]),
            self._map_side(first[3], shape[3]),
        )

    def _of(self, name: str) -> Sides:
        if name in self._sides:
            return self._sides[name]
        return tuple(map(number, self._index.shapes.get(name, ())))

    def _map_side(self, before: Side, length: int) -> Side:
        along = along_of(before)
        if length == self._size.of(before):
            return before
        return map_side(along, length, self._size) if along else number(length)

    def _broadcast(self, operands: Sequence[Sides]) -> Sides:
        """The dimensions of operands taken together: of each those that depend on most."""
        rank = max(map(len, operands))
        aligned = [((),) * (rank - len(sides)) + tuple(sides) for sides in operands]
        return tuple(
            max(choices, key=lambda side: (sum(bool(f.along) for f in side), self._size.of(side)))
            for choices in zip(*aligned)
        )

    def _gathered(self, node: NodeProto, data: Sides) -> Sides:
        """Rows of a matrix of pixels: the halos of patches; or channels in another order."""
        axis = attribute(node, "axis", 0)
        index = self._index.constant(node.input[1])
        if index is None or index.ndim != 1:
            raise self._unknown(f"Gather {node.name}")
        if not any(factor.along for factor in data[axis]):
            return (*data[:axis], number(len(index)), *data[axis + 1 :])
        patches = halo_of(index, self._size.of(data[axis]), self._batch, self._size)
        if patches is None or axis != 0:
            raise self._unknown(f"Gather {node.name}")
        rows, columns = patches.rows, patches.columns
        side = (
            *self._halo_side("height", patches.sides[0], rows),
            *self._halo_side("width", patches.sides[1], columns),
            *number(self._batch),
            *(map_side("height", rows, self._size) if rows > 1 else ()),
            *(map_side("width", columns, self._size) if columns > 1 else ()),
        )
        return (side, *data[1:])

    def _halo_side(self, along: str, length: int, patches: int) -> Side:
        """The side of patches with halo; where there is one, it is the map's."""
        if patches > 1:
            return number(length)
        return padded(map_side(along, length - 2, self._size), 2)

    @property
    def _batch(self) -> int:
        return self._index.shapes[INPUT][0]

    def _unknown(self, what: str) -> ResizeError:
        return ResizeError(
            f"how this graph follows from the size of its input is not understood ({what}); export "
            "the checkpoint with --size instead"
        )


def halo_index(patches: Patches) -> NDArray[np.int64]:
    """Which pixels of maps [N * H * W] are those of patches with a halo.

    Flat, in the order (row in the patch, column in it, image, row of patches, column of patches).
    """
    tall, wide = patches.sides
    _, _, height, width = patches.map_shape
    rows = patches.row_numbers().reshape(patches.rows, tall).T
    columns = patches.column_numbers().reshape(patches.columns, wide).T
    image = np.arange(patches.images)[:, None, None] * height
    index = (image + rows[:, None, None, :, None]) * width + columns[:, None, None, :]
    return np.asarray(index.ravel(), np.int64)


def halo_of(index: NDArray[np.generic], pixels: int, images: int, size: Size) -> Patches | None:
    """The patches whose halo an index takes from so many pixels; None where it is no such index."""
    for stride in (1, 2, 4, 8, 16, 32):
        height, width = (patches * STRIDE // stride for patches in size)
        if images * height * width != pixels:
            continue
        for rows, columns in (size, (1, 1)):
            patches = Patches(images, 1, rows, columns, height // rows, width // columns, 1)
            if np.array_equal(halo_index(patches), index):
                return patches
    return None


class _Rewriting:
    """One pass over a graph, from one size to another."""

    def __init__(
        self, model: ModelProto, index: GraphIndex, sides: dict[str, Sides], old: Size, new: Size
    ) -> None:
        self._model = ModelProto()
        self._model.CopyFrom(model)
        self._index, self._sides, self._old, self._new = index, sides, old, new
        self._write = GraphWriter(self._model, f"for{STRIDE * new.height}x{STRIDE * new.width}")
        self._halves = any(
            tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer
        )
        self._constants: dict[str, NDArray[np.generic]] = {}
        """Constants that change with the size, by name."""

    def run(self) -> ModelProto:
        for node in self._model.graph.node:
            made = NodeProto()
            made.CopyFrom(node)
            if node.output[0] in self._sides:
                self._rewrite(made)
            self._write.nodes.append(made)
        graph = self._model.graph
        nodes = [node for node in self._write.nodes if node.output[0] not in self._constants]
        replace_nodes(self._model, [*self._store_constants(), *nodes])
        for value in (*graph.input, *graph.output):
            for dimension, side in zip(value.type.tensor_type.shape.dim, self._sides[value.name]):
                dimension.dim_value = self._new.of(side)
        drop_unused(self._model)
        self._check()
        return self._model

    def _rewrite(self, node: NodeProto) -> None:
        sides = self._sides[node.output[0]]
        if node.op_type in ("Reshape", "Expand"):
            node.input[1] = self._write.constant(np.array(self._new.shape(sides), np.int64))
        elif node.op_type == "Resize" and len(node.input) > 3 and node.input[3]:
            node.input[3] = self._write.constant(np.array(self._new.shape(sides), np.int64))
        elif node.op_type == "Conv":
            self._convolution(node)
        elif node.op_type == "Gather":
            self._gather(node)
        elif node.op_type == "Concat":
            axis = attribute(node, "axis") % len(sides)
            for name in node.input:
                self._fit(name, (*sides[:axis], (), *sides[axis + 1 :]))
        elif len(node.input) > 1 and node.op_type not in (*_MAPS, *_ON_AXES, "Pad", "MatMul"):
            for name in node.input:
                self._fit(name, sides)

    def _convolution(self, node: NodeProto) -> None:
        weights = self._sides.get(node.input[1])
        if weights is None:
            return
        groups = next(entry for entry in node.attribute if entry.name == "group")
        # Each patch is a group, or each of its channels: the outer factors of the channels.
        seen: Side = ()
        for factor in (*self._sides[node.input[0]][1], *number(2)):
            if self._old.of(seen) == groups.i:
                break
            seen = (*seen, factor)
        if self._old.of(seen) != groups.i:
            raise ResizeError(f"{groups.i} groups of {node.name} do not follow from its input")
        groups.i = self._new.of(seen)
        if len(node.input) > 2:
            self._fit(node.input[2], (weights[0],))

    def _gather(self, node: NodeProto) -> None:
        data = self._sides[node.input[0]][0]
        index = self._index.constant(node.input[1])
        if index is None or not any(factor.along for factor in data):
            return
        images = self._index.shapes[INPUT][0]
        patches = halo_of(index, self._old.of(data), images, self._old)
        assert patches is not None
        stride = STRIDE * self._old.height // patches.map_shape[2]
        height, width = (patches * STRIDE // stride for patches in self._new)
        rows, columns = self._new if patches.rows > 1 or patches.columns > 1 else (1, 1)
        new = Patches(images, 1, rows, columns, height // rows, width // columns, 1)
        node.input[1] = self._write.constant(halo_index(new).astype(index.dtype))

    def _fit(self, name: str, sides: Sides) -> None:
        """Give an operand the size that it needs, where it is a constant of another."""
        if not name or not self._index.is_constant(name):
            return
        shape = self._index.shapes[name]
        aligned = sides[len(sides) - len(shape) :]
        wanted = tuple(
            self._new.of(side) if length == self._old.of(side) else length
            for side, length in zip(aligned, shape)
        )
        if wanted == shape:
            return
        value = self._value(name)
        for axis, length in enumerate(wanted):  # all: coordinates stored as float16 are set right
            value = _stretched(value, axis, length, name)
        known = self._constants.setdefault(name, value)
        if not np.array_equal(known, value):
            raise ResizeError(f"the constant {name} is needed in two sizes")

    def _value(self, name: str) -> NDArray[np.generic]:
        """A constant, computed where the graph computes it."""
        value = self._index.constant(name)
        if value is not None:
            return value
        part = ModelProto()
        part.CopyFrom(self._model)
        del part.graph.input[:], part.graph.output[:]
        part.graph.output.append(helper.make_empty_tensor_value_info(name))
        del part.graph.node[:]
        part.graph.node.extend(
            node
            for node in self._model.graph.node
            if all(map(self._index.is_constant, node.output))
        )
        drop_unused(part)
        (computed,) = ReferenceEvaluator(part).run(None, {})
        return np.asarray(computed)

    def _store_constants(self) -> list[NodeProto]:
        """Write the new constants as the exporter would; gives the casts of those in float16."""
        graph, casts = self._model.graph, []
        for name, value in self._constants.items():
            stored = name
            if self._halves and value.dtype == np.float32 and value.size >= _FEWEST_HALVED:
                stored, value = f"{name}.half", value.astype(np.float16)
                casts.append(
                    helper.make_node("Cast", [stored], [name], f"{name}/Cast", to=TensorProto.FLOAT)
                )
            for tensor in [t for t in graph.initializer if t.name in (name, stored)]:
                graph.initializer.remove(tensor)
            graph.initializer.append(numpy_helper.from_array(value, stored))
        return casts

    def _check(self) -> None:
        """The graph is valid, and every value has the shape that was derived for it."""
        checker.check_model(self._model, full_check=True)
        shapes = GraphIndex(self._model).shapes
        for name, sides in self._sides.items():
            if name in shapes and shapes[name] != self._new.shape(sides):
                raise ResizeError(
                    f"{name} would be {shapes[name]} in place of {self._new.shape(sides)}; export "
                    "the checkpoint with --size instead"
                )


def _stretched(
    value: NDArray[np.generic], axis: int, length: int, name: str
) -> NDArray[np.generic]:
    """A constant of another length along an axis: uniform, coordinates, or the same for each patch.

    Raises:
        ResizeError: it is none of these.
    """
    lines = np.moveaxis(value, axis, -1)
    old = lines.shape[-1]
    uniform = np.broadcast_to(lines[..., :1], (*lines.shape[:-1], length))
    level = (lines == lines[..., :1]).all(axis=-1)
    if level.all():
        return np.moveaxis(uniform, -1, axis).copy()
    ramp = np.linspace(-1, 1, old, dtype=np.float64)
    if (level | (np.abs(lines.astype(np.float64) - ramp) < _LINE_TOLERANCE).all(axis=-1)).all():
        ramps = np.linspace(-1, 1, length, dtype=np.float64).astype(value.dtype)
        return np.moveaxis(np.where(level[..., None], uniform, ramps), -1, axis).copy()
    period = math.gcd(old, length)
    once = lines[..., :period]
    if np.array_equal(np.concatenate([once] * (old // period), axis=-1), lines):
        return np.moveaxis(np.concatenate([once] * (length // period), axis=-1), -1, axis).copy()
    raise ResizeError(
        f"how the constant {name} follows from the size of the input is not understood; export the "
        "checkpoint with --size instead"
    )
