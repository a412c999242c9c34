"""INT8 weights that give the right sums on CPUs without VNNI too.

There an instruction adds two products of an unsigned and a signed byte in 16 bits, and what does
not fit saturates. The two products belong to neighbouring input channels. So weights are right
everywhere if no two neighbours of the same sign add up to more than 128: 255 x 128 fits. Output
channels whose weights do are given a larger scale, which costs a fraction of a bit; the others keep
all eight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

_MOST = 128
"""The largest sum of two neighbouring weights of one sign: (2^15 - 1) / 255, rounded down."""


def may_saturate(model: ModelProto) -> bool:
    """Whether 16 bits are too few for the sums of some INT8 weights of a graph."""
    return any(
        _largest_sums(numpy_helper.to_array(weights)).max() > _MOST
        for weights, _ in _quantized_weights(model)
    )


def without_saturation(model: ModelProto, weights: Mapping[str, NDArray[Any]]) -> None:
    """Requantize the weights of a graph in place, so that no sum saturates.

    Args:
        model: a graph with INT8 weights, each scaled per output channel.
        weights: what they stand for, float [out, in, h, w], by the name of the INT8 weights.
    """
    for quantized, scale in list(_quantized_weights(model)):
        exact = weights[quantized.name]
        scales = numpy_helper.to_array(scale)
        # Rounding adds up to a half to each of the two.
        sums = _largest_sums(exact / scales.reshape(-1, 1, 1, 1)) + 1
        larger = (scales * np.maximum(1.0, sums / _MOST)).astype(scales.dtype)
        values = np.rint(exact / larger.reshape(-1, 1, 1, 1)).clip(-127, 127).astype(np.int8)
        quantized.CopyFrom(numpy_helper.from_array(values, quantized.name))
        scale.CopyFrom(numpy_helper.from_array(larger, scale.name))


def _quantized_weights(model: ModelProto) -> Iterator[tuple[TensorProto, TensorProto]]:
    """The INT8 weights of convolutions, and their scales."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            continue
        weights = constants[node.input[0]]
        if weights.data_type == TensorProto.INT8 and len(weights.dims) == 4:
            yield weights, constants[node.input[1]]


def _largest_sums(weights: NDArray[Any]) -> NDArray[np.float64]:
    """For each output channel the largest sum of two neighbouring weights of one sign.

    Depthwise convolutions have one input channel, and sum in 32 bits.
    """
    outputs, inputs = weights.shape[:2]
    if inputs == 1:
        return np.zeros(outputs)
    exact = np.pad(weights.astype(np.float64), ((0, 0), (0, inputs % 2), (0, 0), (0, 0)))
    sums = [
        np.maximum(sign * exact[:, 0::2], 0) + np.maximum(sign * exact[:, 1::2], 0)
        for sign in (1, -1)
    ]
    return np.maximum(*sums).reshape(outputs, -1).max(axis=1)
