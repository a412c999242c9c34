"""Inverted residuals of the encoder in strips of channels, one strip after the other.

The first blocks of the encoder widen a large map sixfold, filter every channel by itself and narrow
it again (Sandler et al., CVPR 2018, arXiv 1801.04381). The wide map is larger than a CPU's cache.
But no channel of it needs another one before the last convolution, which sums over them: so it is
computed some channels at a time, and the sums of the strips are added up. Other than strips of rows
these need no halo. Only the order of that addition differs from the model file's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from hyperseg_ros.runtime.graphs.index import GraphIndex, attribute
from hyperseg_ros.runtime.graphs.replacement import Part
from hyperseg_ros.runtime.graphs.writer import GraphWriter

_BYTES = 4
"""Of a number, float32."""
_LARGE = 4 << 20
"""Bytes of a wide map that stays as it is: what the caches of two cores hold, more or less."""
_STRIP = 2 << 20
"""Bytes of a strip's wide map, where it has more than the fewest channels."""
_FEWEST, _VECTOR = 16, 8
"""Channels of a strip: fewer take longer than they save; a multiple fills vectors of AVX2."""
_OPERATORS = ["Conv", "Clip", "Conv", "Clip", "Conv"]
"""Of a block, one after the other: wide, each channel by itself, narrow."""


def encoder_in_channel_strips(index: GraphIndex) -> Iterator[Part]:
    """The inverted residuals of a graph whose wide maps are large."""
    for first in index.nodes:
        block = _divided(index.chain(first, len(_OPERATORS)), index)
        if block is not None:
            yield Part(block.nodes, partial(_write_strips, block=block))


@dataclass(frozen=True)
class _Block:
    """The nodes of an inverted residual, their constants, and how it is divided."""

    nodes: Sequence[NodeProto]
    wide: Sequence[NDArray[np.generic]]
    """Weights of the first convolution, [C, in, 1, 1], and its bias, [C], if it has one."""
    depthwise: Sequence[NDArray[np.generic]]
    """The same of the second one, [C, 1, h, w] and [C]."""
    narrow: NDArray[np.generic]
    """Weights of the last one, [out, C, 1, 1]."""
    strips: int

    @property
    def last(self) -> str:
        """The block's output, [N, out, H, W]."""
        return self.nodes[-1].output[0]


def _divided(nodes: Sequence[NodeProto], index: GraphIndex) -> _Block | None:
    """A block and its strips; None where the nodes are none of float32, or its map is small."""
    if [node.op_type for node in nodes] != _OPERATORS:
        return None
    wide, depthwise, narrow = (_constants(node, index) for node in nodes[::2])
    shape = index.shapes.get(nodes[0].output[0], ())
    if not wide or not depthwise or not narrow or not shape:
        return None
    channels, size = shape[1], _BYTES * int(np.prod(shape))
    groups = [attribute(node, "group", 1) for node in nodes[::2]]
    pointwise = wide[0].shape[2:] == narrow[0].shape[2:] == (1, 1)
    if size <= _LARGE or not pointwise or groups != [1, channels, 1]:
        return None
    if any(value.dtype != np.float32 for value in (*wide, *depthwise, *narrow)):
        return None
    if len(depthwise[0]) != channels:
        return None
    numbers = [n for n in range(1, channels // _FEWEST + 1) if channels % (n * _VECTOR) == 0]
    strips = next((n for n in numbers if size <= n * _STRIP), max(numbers, default=1))
    return _Block(nodes, wide, depthwise, narrow[0], strips) if strips > 1 else None


def _constants(node: NodeProto, index: GraphIndex) -> list[NDArray[np.generic]]:
    """Weights of a convolution, and its bias if it has one; none where they are not constant."""
    values = [index.constant(name) for name in node.input[1:]]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _write_strips(write: GraphWriter, block: _Block) -> None:
    first, clip, second, clip_again, last = block.nodes
    channels = len(block.depthwise[0]) // block.strips
    total = ""
    for number in range(block.strips):
        suffix = f".channels{number}"
        part = slice(number * channels, (number + 1) * channels)
        name = first.input[0]
        for node, constants in ((first, block.wide), (second, block.depthwise)):
            cut = [write.constant(value[part].copy()) for value in constants]
            write.copy(node, [name, *cut], node.output[0] + suffix)
            if node is second:
                _set_groups(write.nodes[-1], channels)
            after = clip if node is first else clip_again
            name = after.output[0] + suffix
            write.copy(after, [node.output[0] + suffix, *after.input[1:]], name)
        weights = write.constant(block.narrow[:, part].copy())
        bias = [] if total else last.input[2:]
        made = last.output[0] + suffix
        write.copy(last, [name, weights, *bias], made)
        is_last = number == block.strips - 1
        sum_ = block.last if is_last else f"{block.last}.sum{number}"
        total = write.add("Add", [made, total], sum_) if total else made


def _set_groups(node: NodeProto, groups: int) -> None:
    """Give a convolution that states its groups another number of them."""
    next(entry for entry in node.attribute if entry.name == "group").i = groups
