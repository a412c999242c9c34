"""The decoder as matrix products and shifted multiply-adds, in place of grouped convolutions.

A model file computes a dynamic convolution as a grouped convolution over patches that lie side by
side in the channels, which CPUs do best. GPUs have tuned kernels for batched matrix products, and
fuse elementwise operators with what is around them. So here patches become a batch, [P, C, h, w]:
a dynamic 1x1 convolution is one matrix product a patch, a depthwise 3x3 nine multiply-adds of the
shifted patch, and the halo two Gathers along the sides of the map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto

from hyperseg_ros.runtime.graphs.index import (
    GraphIndex,
    Shape,
    attribute,
    drop_unused,
    replace_nodes,
)
from hyperseg_ros.runtime.graphs.movement import Places, numbered, places, source_of
from hyperseg_ros.runtime.graphs.patchwise import Patches, grids, patches_between
from hyperseg_ros.runtime.graphs.writer import GraphWriter
from hyperseg_ros.runtime.model_file import INPUT

_ELEMENTWISE = ("Relu", "Clip")


def with_products(model: ModelProto) -> ModelProto:
    """The same network with its dynamic convolutions as products and shifts.

    Args:
        model: of a fixed batch, with plain weights (`precision.weights`); it is left as it is.
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
        self._batch = self._index.shapes[INPUT][0]
        self._write = GraphWriter(model, "product")
        self._patches: dict[str, tuple[str, Shape]] = {}
        """Values [1, P * C, h, w] of the model file: name and shape of the same as [P, C, h, w]."""
        self._renamed: dict[str, str] = {}

    def run(self) -> None:
        for node in self._model.graph.node:
            if not (self._convolution(node) or self._elementwise(node)):
                self._keep(node)
        replace_nodes(self._model, self._write.nodes)

    def _convolution(self, node: NodeProto) -> bool:
        """Write a dynamic convolution in the other form; whether the node is one."""
        index = self._index
        if node.op_type != "Conv" or index.is_constant(node.input[1]):
            return False
        kernel = index.shapes[node.input[1]]
        groups: int = attribute(node, "group", 1)
        plain = not any(attribute(node, "pads", ())) and all(
            stride == 1 for stride in attribute(node, "strides", ())
        )
        depthwise = kernel[1] == 1 and kernel[2:] == (3, 3)
        if not plain or not (depthwise or kernel[2:] == (1, 1)):
            return False
        name, shape = self._patches.get(node.input[0]) or self._as_patches(
            node.input[0], groups, depthwise
        )
        if not depthwise and shape[0] != groups:
            shape = (groups, shape[0] * shape[1] // groups, *shape[2:])
            name = self._write.reshape(name, shape, f"{node.output[0]}.grouped")
        bias = node.input[2] if len(node.input) > 2 else ""
        count, channels = shape[0], kernel[0] // shape[0]
        write = self._depthwise if depthwise else self._pointwise
        made = write(node.output[0], name, shape, node.input[1], channels)
        if bias:
            made = self._write.add(
                "Add", [made, self._bias(bias, count, channels)], f"{made}.biased"
            )
        self._put(node.output[0], made, (count, channels, *index.shapes[node.output[0]][2:]))
        return True

    def _pointwise(self, output: str, name: str, shape: Shape, kernels: str, channels: int) -> str:
        count, inputs, height, width = shape
        if height * width == 1:
            return self._dot(output, name, shape, kernels, channels)
        matrices = self._write.reshape(kernels, (count, channels, inputs), f"{output}.matrices")
        pixels = self._write.reshape(name, (count, inputs, height * width), f"{output}.pixels")
        product = self._write.add("MatMul", [matrices, pixels], f"{output}.product")
        return self._write.reshape(product, (count, channels, height, width), f"{output}.patches")

    def _dot(self, output: str, name: str, shape: Shape, kernels: str, channels: int) -> str:
        """A patch of one pixel: a product would be padded to two."""
        count, inputs, _, _ = shape
        rows = self._write.reshape(kernels, (count, channels, inputs), f"{output}.rows")
        pixel = self._write.reshape(name, (count, 1, inputs), f"{output}.pixel")
        parts = self._write.add("Mul", [rows, pixel], f"{output}.parts")
        last = self._write.constant(np.array([2], np.int64))
        total = self._write.add("ReduceSum", [parts, last], f"{output}.total", keepdims=0)
        return self._write.reshape(total, (count, channels, 1, 1), f"{output}.patches")

    def _depthwise(self, output: str, name: str, shape: Shape, kernels: str, channels: int) -> str:
        count, _, height, width = shape
        taps = self._write.reshape(kernels, (count, channels, 3, 3), f"{output}.taps")
        total = ""
        for tap in range(9):
            y, x = divmod(tap, 3)
            shifted = self._cut(name, (y, x), (y + height - 2, x + width - 2), f"{output}.at{tap}")
            factor = self._cut(taps, (y, x), (y + 1, x + 1), f"{output}.tap{tap}")
            part = self._write.add("Mul", [shifted, factor], f"{output}.part{tap}")
            total = self._write.add("Add", [total, part], f"{output}.sum{tap}") if total else part
        return total

    def _elementwise(self, node: NodeProto) -> bool:
        """Write an operator on patches as one on their other layout; whether the node is one."""
        if node.op_type not in _ELEMENTWISE or node.input[0] not in self._patches:
            return False
        name, shape = self._patches[node.input[0]]
        made = f"{node.output[0]}.patches"
        self._write.copy(node, [name, *node.input[1:]], made)
        self._put(node.output[0], made, shape)
        return True

    def _keep(self, node: NodeProto) -> None:
        """Leave a node as it is, but for maps that were put together from patches."""
        self._write.copy(node, [self._joined(name) if name else name for name in node.input])

    def _joined(self, name: str) -> str:
        """The name under which a value is now; a map put together from patches is written first."""
        if name in self._renamed:
            return self._renamed[name]
        source = source_of(self._index, name)[-1]
        if source == name or source not in self._patches:
            return name
        shape = self._index.shapes[source]
        found = places(self._index, source, name)
        for patches in patches_between(self._index.shapes[name], shape):
            if not patches.halo and np.array_equal(patches.join(numbered(shape)), found):
                self._renamed[name] = self._join(patches, self._patches[source][0], name)
                return self._renamed[name]
        return name

    def _as_patches(self, name: str, groups: int, depthwise: bool) -> tuple[str, Shape]:
        """A value [1, P * C, h, w] as [P, C, h, w], from the nearest source that is understood."""
        index, shape = self._index, self._index.shapes[name]
        for source in source_of(index, name):
            if source in self._patches:
                made, (count, channels, height, width) = self._patches[source]
                for patches in grids(self._batch, count, channels, height, width):
                    # Of v0.1's decoder: put together after the first convolution, cut with a halo.
                    joined = patches.join(numbered(index.shapes[source]))
                    if self._is_split(patches, joined, source, name):
                        whole = self._join(patches, made, f"{name}.map")
                        return self._split(patches, whole, f"{name}.patches")
            for patches in patches_between(index.shapes[source], shape):
                fits = depthwise or patches.number == groups
                if fits and self._is_split(patches, numbered(patches.map_shape), source, name):
                    return self._split(patches, self._joined(source), f"{name}.patches")
        count = 1 if depthwise else groups
        flat = (count, shape[1] // count, *shape[2:])
        return self._write.reshape(name, flat, f"{name}.patches"), flat

    def _is_split(self, patches: Patches, of_map: Places, source: str, name: str) -> bool:
        """Whether a value is the patches of a map, both as places of a source."""
        moved = places(self._index, source, name)
        split = patches.split(of_map)
        return split.shape == moved.shape and np.array_equal(split, moved)

    def _put(self, name: str, made: str, shape: Shape) -> None:
        """Note that a value exists as [P, C, h, w]; make the model file's layout of it too."""
        self._patches[name] = made, shape
        self._write.reshape(made, self._index.shapes[name], name)

    def _split(self, patches: Patches, name: str, made: str) -> tuple[str, Shape]:
        """Cut a map [N, C, H, W] into patches, [P, C, h, w]."""
        if patches.halo:
            rows, columns = patches.row_numbers(), patches.column_numbers()
            name = self._write.add(
                "Gather", [name, self._write.constant(rows)], f"{made}.rows", axis=2
            )
            name = self._write.add(
                "Gather", [name, self._write.constant(columns)], f"{made}.columns", axis=3
            )
        height, width = patches.sides
        n, c, rows_, columns_ = patches[:4]
        tiled = self._write.reshape(name, (n, c, rows_, height, columns_, width), f"{made}.tiled")
        turned = self._write.add("Transpose", [tiled], f"{made}.turned", perm=[0, 2, 4, 1, 3, 5])
        shape = (patches.number, c, height, width)
        return self._write.reshape(turned, shape, made), shape

    def _join(self, patches: Patches, name: str, like: str) -> str:
        """Put patches [P, C, h, w] together to a map, [N, C, H, W]."""
        n, c, rows, columns, height, width, _ = patches
        tiled = self._write.reshape(name, (n, rows, columns, c, height, width), f"{like}.tiled")
        turned = self._write.add("Transpose", [tiled], f"{like}.turned", perm=[0, 3, 1, 4, 2, 5])
        return self._write.reshape(turned, patches.map_shape, f"{like}.joined")

    def _cut(self, name: str, start: Sequence[int], stop: Sequence[int], made: str) -> str:
        """A part of the last two axes."""
        limits = [self._write.constant(np.array(ends, np.int64)) for ends in (start, stop, (2, 3))]
        return self._write.add("Slice", [name, *limits], made)

    def _bias(self, name: str, count: int, channels: int) -> str:
        """A bias [P * C] to add to [P, C, h, w]; one for all patches where they have the same."""
        value = self._index.constant(name)
        if value is None:
            return self._write.reshape(name, (count, channels, 1, 1), f"{name}.patches")
        patches = value.reshape(count, channels, 1, 1)
        return self._write.constant(patches[:1] if (patches == patches[:1]).all() else patches)
