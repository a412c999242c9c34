"""The last upsampling along one side after the other, in runs that fill the CPU's vectors.

A model file enlarges the scores of its classes to the image bilinearly. OpenVINO does that pixel by
pixel, of which a dozen classes are a vector and a half, and then parts the classes. Here they are
parted first, while the map is small. A convolution makes eight columns of four; then rows are
doubled as if their columns were channels. The same weights are applied to the same scores, only in
another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from hyperseg_ros.runtime.graphs.index import GraphIndex, attribute
from hyperseg_ros.runtime.graphs.replacement import Part
from hyperseg_ros.runtime.graphs.writer import GraphWriter

_COLUMNS = 4
"""That become eight, a vector of AVX2."""
_NEAR, _FAR = 0.75, 0.25
"""Weights of the pixels that lie a quarter and three quarters from a new one."""
_PLANES = [1, 0, 2, 3]
"""The order in which a Transpose parts the classes."""


def sides_in_turn(index: GraphIndex) -> Iterator[Part]:
    """Where a graph doubles a map bilinearly and cuts it into class planes."""
    for node in index.nodes:
        if _is_doubling(node, index) and _is_parted(index.users[node.output[0]]):
            yield Part([node], partial(_write_sides, resize=node, index=index))


def _is_doubling(node: NodeProto, index: GraphIndex) -> bool:
    """Whether a node doubles height and width of float32 [N, C, H, W] bilinearly."""
    if node.op_type != "Resize" or index.types.get(node.input[0]) != TensorProto.FLOAT:
        return False
    small, large = (index.shapes.get(name, ()) for name in (node.input[0], node.output[0]))
    if len(small) != 4 or large != (*small[:2], 2 * small[2], 2 * small[3]):
        return False
    mode = attribute(node, "mode", b"nearest"), attribute(node, "coordinate_transformation_mode")
    return mode == (b"linear", b"half_pixel") and small[3] % _COLUMNS == 0


def _is_parted(users: Sequence[NodeProto]) -> bool:
    """Whether those that take a value part its classes, and nothing else."""
    return [(node.op_type, attribute(node, "perm")) for node in users] == [("Transpose", _PLANES)]


def _write_sides(write: GraphWriter, resize: NodeProto, index: GraphIndex) -> None:
    name, made = resize.input[0], resize.output[0]
    images, channels, height, width = index.shapes[name]
    planes = images * channels
    # One column more to the left, and a group of columns in all.
    pads = write.constant(np.array([0, 0, 0, 1, 0, 0, 0, _COLUMNS - 1], np.int64))
    name = write.add("Pad", [name, pads], f"{made}.padded", mode="edge")
    grouped = (planes, height, width // _COLUMNS + 1, _COLUMNS)
    name = write.reshape(name, grouped, f"{made}.grouped")
    name = write.add("Transpose", [name], f"{made}.first", perm=[0, 3, 1, 2])
    kernels = write.constant(_kernels())
    name = write.add("Conv", [name, kernels], f"{made}.wide", kernel_shape=[1, 2])
    name = write.add("Transpose", [name], f"{made}.last", perm=[0, 2, 3, 1])
    name = write.reshape(name, (planes, height, 1, 2 * width), f"{made}.rows")
    name = write.add("Transpose", [name], f"{made}.columns", perm=[0, 3, 1, 2])
    sizes = write.constant(np.array([planes, 2 * width, 2 * height, 1], np.int64))
    name = write.add(
        "Resize",
        [name, "", "", sizes],
        f"{made}.high",
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    name = write.add("Transpose", [name], f"{made}.whole", perm=[0, 2, 3, 1])
    write.reshape(name, index.shapes[made], made)


def _kernels() -> NDArray[np.float32]:
    """Weights of new columns, float32 [2 * _COLUMNS, _COLUMNS, 1, 2].

    The second axis and the last are the columns of two neighbouring groups, the first of which is
    left of the first that is doubled.
    """
    weights = np.zeros((2 * _COLUMNS, 2 * _COLUMNS), np.float32)
    for new in range(2 * _COLUMNS):
        nearest = new // 2 + 1
        weights[new, nearest] = _NEAR
        weights[new, nearest + (1 if new % 2 else -1)] = _FAR
    return weights.reshape(2 * _COLUMNS, 2, 1, _COLUMNS).transpose(0, 3, 2, 1).copy()
