"""Convolutions of an INT8 encoder, back in floating point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from hyperseg_ros.runtime.graphs.index import drop_unused

Selects = Callable[[TensorProto], bool]
"""Whether a convolution of these INT8 weights is one to turn back."""


def with_float_depthwise(model: ModelProto) -> ModelProto:
    """A copy in which only convolutions that mix channels are INT8.

    GPUs multiply INT8 in groups of at least four channels. What TensorRT-RTX does for one channel
    a group takes 30 MiB of constants in the shipped model's engine: 43 MiB, and 14 with depthwise
    in FP16.
    """
    # [channels out, channels in a group, height, width]
    return _in_float(model, lambda weights: weights.dims[0] > 1 and weights.dims[1] == 1)


def with_float_encoder(model: ModelProto) -> ModelProto:
    """A copy in which nothing is quantized; weights have the values that INT8 gave them."""
    return _in_float(model, lambda _: True)


def _in_float(model: ModelProto, selects: Selects) -> ModelProto:
    result = ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    makers = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        activation, weights = (makers.get(name) for name in node.input[:2])
        if weights is None or weights.op_type != "DequantizeLinear":
            continue
        if weights.input[0] not in stored or not selects(stored[weights.input[0]]):
            continue
        if activation is not None and activation.op_type == "DequantizeLinear":
            node.input[0] = makers[activation.input[0]].input[0]
        values, scale = (numpy_helper.to_array(stored[name]) for name in weights.input[:2])
        name = f"{node.input[1]}.float"
        graph.initializer.append(numpy_helper.from_array(_dequantized(values, scale), name))
        node.input[1] = name
    drop_unused(result)
    return result


def _dequantized(values: NDArray[np.int8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.astype(np.float32) * scale.reshape(-1, 1, 1, 1).astype(np.float32)
