"""Depthwise convolutions of an INT8 encoder, back in floating point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from hyperseg_ros.runtime.graphs.index import drop_unused


def with_float_depthwise(model: ModelProto) -> ModelProto:
    """A copy in which only convolutions that mix channels are INT8.

    GPUs multiply INT8 in groups of at least four channels. What TensorRT-RTX does for one channel
    a group takes 30 MiB of constants in the shipped model's engine: 43 MiB, and 14 with depthwise
    in FP16.
    """
    result = ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type != "Conv" or not _is_depthwise(node, makers, constants):
            continue
        activation, weights = (makers.get(name) for name in node.input[:2])
        if activation is not None and activation.op_type == "DequantizeLinear":
            node.input[0] = makers[activation.input[0]].input[0]
        if weights is not None:
            plain = _dequantized(weights, constants)
            graph.initializer.append(numpy_helper.from_array(plain, f"{node.input[1]}.float"))
            node.input[1] = f"{node.input[1]}.float"
    drop_unused(result)
    return result


def _is_depthwise(
    node: NodeProto, makers: dict[str, NodeProto], constants: dict[str, TensorProto]
) -> bool:
    weights = makers.get(node.input[1])
    if weights is None or weights.op_type != "DequantizeLinear":
        return False
    stored = constants.get(weights.input[0])
    # [channels out, channels in a group, height, width]
    return stored is not None and stored.dims[0] > 1 and stored.dims[1] == 1


def _dequantized(node: NodeProto, constants: dict[str, TensorProto]) -> NDArray[np.float32]:
    weights, scale = (numpy_helper.to_array(constants[name]) for name in node.input[:2])
    plain: NDArray[np.float32] = weights * scale.reshape(-1, 1, 1, 1).astype(np.float32)
    return plain
