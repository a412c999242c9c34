"""Meta blocks in strips: some rows of patches after the others.

A model file computes a meta block for all patches at once: each of its three convolutions writes a
map that is larger than a CPU's cache, and the next one reads it from memory. In strips these maps
stay in the cache. The same numbers are computed in the same way, so that the output is the same,
bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from onnx import NodeProto, helper

from hyperseg_ros.runtime.graphs.index import GraphIndex
from hyperseg_ros.runtime.graphs.replacement import Part
from hyperseg_ros.runtime.graphs.writer import GraphWriter

_BYTES = 4
"""Of a number, float32."""
_STRIP = 1 << 20
"""Bytes of the largest map of a strip: about the cache of a core."""
_OPERATORS = [
    *("Gather", "Reshape", "Transpose"),  # pixels of the map into patches with a halo
    *("Conv", "Clip", "Conv", "Clip", "Conv"),
    *("Transpose", "Reshape", "Transpose", "Reshape"),  # patches into a map
]
"""Of a meta block that is an inverted residual, one after the other."""


def meta_blocks_in_strips(index: GraphIndex) -> Iterator[Part]:
    """The large meta blocks of a graph; batches of several images are not divided."""
    for first in index.nodes:
        nodes = index.chain(first, len(_OPERATORS))
        if [node.op_type for node in nodes] == _OPERATORS:
            block = _divided(nodes, index)
            if block is not None:
                yield Part(nodes, partial(_write_strips, block=block, index=index))


@dataclass(frozen=True)
class _MetaBlock:
    """The nodes of a meta block, and how it is divided."""

    nodes: Sequence[NodeProto]
    strips: int
    rows: int
    """Of patches, in all."""
    columns: int

    @property
    def last(self) -> str:
        """The block's output, [1, H, W, C]."""
        return self.nodes[-1].output[0]


def _divided(nodes: Sequence[NodeProto], index: GraphIndex) -> _MetaBlock | None:
    """A meta block and its strips; None where it is small, of several images, or of any number."""
    tiles, widest = (index.shapes.get(nodes[place].output[0], ()) for place in (9, 3))
    if len(tiles) != 6:
        return None
    _, _, images, rows, columns, _ = tiles
    if not all(_are_generated(nodes[place].input[1], index) for place in (3, 5, 7)):
        return None
    size = _BYTES * int(np.prod(widest))
    fitting = (n for n in range(1, rows) if rows % n == 0 and size <= n * _STRIP)
    strips = next(fitting, rows)
    return _MetaBlock(nodes, strips, rows, columns) if images == 1 and strips > 1 else None


def _are_generated(kernels: str, index: GraphIndex) -> bool:
    """Whether kernels are a map of the weight mapper, transposed and reshaped."""
    reshape = index.makers.get(kernels)
    transpose = index.makers.get(reshape.input[0]) if reshape is not None else None
    if reshape is None or transpose is None:
        return False
    return (reshape.op_type, transpose.op_type) == ("Reshape", "Transpose")


def _write_strips(write: GraphWriter, block: _MetaBlock, index: GraphIndex) -> None:
    gather, cut, *inside, tile, join, flat = block.nodes
    shape_of = index.shapes
    _, *sides, channels = shape_of[cut.output[0]]
    height, width, *_, made = shape_of[tile.output[0]]
    rows = block.rows // block.strips
    every = (int(np.prod(sides)), block.rows, block.columns)
    places = write.reshape(gather.input[1], every, f"{block.last}.places")
    places_of = _cut(write, places, 1, block.rows, block.strips, places)
    parts = {}
    for node in inside:
        if node.op_type == "Conv":
            parts[node.input[1]] = _cut_kernels(write, node.input[1], block, index)
            for bias in node.input[2:]:  # which other blocks may have too
                made_as = f"{node.output[0]}.bias"
                parts[bias] = _cut(write, bias, 0, shape_of[bias][0], block.strips, made_as)
    strips = []
    for number, part in enumerate(places_of):
        suffix = f".strip{number}"
        part = write.reshape(part, (-1,), f"{part}.flat")
        name = write.add("Gather", [gather.input[0], part], gather.output[0] + suffix, axis=0)
        side_by_side = (1, *sides, channels // block.strips)
        name = write.reshape(name, side_by_side, cut.output[0] + suffix)
        for node in inside:
            others = [parts[i][number] if i in parts else i for i in node.input[1:]]
            write.copy(node, [name, *others], node.output[0] + suffix)
            _divide_groups(write.nodes[-1], block.strips)
            name = node.output[0] + suffix
        tiles = (height, width, 1, rows, block.columns, made)
        name = write.reshape(name, tiles, tile.output[0] + suffix)
        write.copy(join, [name], join.output[0] + suffix)
        of_map = (1, rows * height, block.columns * width, made)
        strips.append(write.reshape(join.output[0] + suffix, of_map, flat.output[0] + suffix))
    write.add("Concat", strips, block.last, axis=1)


def _cut_kernels(
    write: GraphWriter, kernels: str, block: _MetaBlock, index: GraphIndex
) -> list[str]:
    """Cut the map that kernels are generated as, [1, N, rows, columns].

    OpenVINO's low-precision pass refuses kernels between which and the cut is no Transpose.
    """
    transpose = index.makers[index.makers[kernels].input[0]]
    count, *rest = index.shapes[kernels]
    made = []
    for part in _cut(write, transpose.input[0], 2, block.rows, block.strips, kernels):
        write.copy(transpose, [part], f"{part}.last")
        made.append(
            write.reshape(f"{part}.last", (count // block.strips, *rest), f"{part}.kernels")
        )
    return made


def _cut(
    write: GraphWriter, name: str, axis: int, length: int, parts: int, made_as: str
) -> list[str]:
    """Add a Split of an axis of a length into equal parts; their names, `made_as` and a number."""
    made = [f"{made_as}.part{number}" for number in range(parts)]
    sizes = write.constant(np.full(parts, length // parts))
    node = helper.make_node("Split", [name, sizes], made, f"{made_as}.parts", axis=axis)
    write.nodes.append(node)
    return made


def _divide_groups(node: NodeProto, parts: int) -> None:
    for entry in node.attribute:
        if entry.name == "group":
            entry.i //= parts
