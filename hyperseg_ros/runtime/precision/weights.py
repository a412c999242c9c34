"""Weights as the arithmetic uses them, where a model file stores them smaller."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper


def with_plain_weights(model: ModelProto) -> ModelProto:
    """A copy in which weights stored as float16 behind a cast are float32 initializers."""
    plain = ModelProto()
    plain.CopyFrom(model)
    graph = plain.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    others, unfolded = [], set()
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in stored and _casts_to_float(node):
            weights = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
        else:
            others.append(node)
            unfolded.update(node.input)
    needed = [tensor for tensor in graph.initializer if tensor.name in unfolded]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(others)
    graph.initializer.extend(needed)
    return plain


def _casts_to_float(node: NodeProto) -> bool:
    return any(entry.name == "to" and entry.i == TensorProto.FLOAT for entry in node.attribute)
