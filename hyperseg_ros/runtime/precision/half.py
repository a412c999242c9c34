"""FP16 with islands of FP32 where half precision would be felt."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    numpy_helper,
    shape_inference,
)

from hyperseg_ros.runtime.precision.weights import with_plain_weights

_SUMS = ("ReduceMean", "ReduceSum", "GlobalAveragePool")
"""Operators that add up a whole map: beyond 65504 float16 is infinite."""
_HEADS = ("Softmax", "Exp")
"""From these to the outputs the graph stays FP32: confidence has 256 levels of its own."""
_ALWAYS_FLOAT = {"Resize": (1, 2)}
"""Inputs of operators that are float32 whatever the data: region and scales."""
_OPSET_OF_HALF_SCALES = 19
"""The first in which quantization takes float16; nothing else in a model file differs from 18."""

_LEAST_SCALE = np.float32(2**-14)
"""The least normal float16: a smaller scale would lose its digits, or be zero."""

_FLOAT, _HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def to_half(model: ModelProto) -> ModelProto:
    """The model in FP16; what is quantized stays quantized, with FP16 around it.

    Global means, and the softmax with all behind it, stay FP32.

    Args:
        model: a model file's graph, FP32 or with an INT8 encoder; it is left as it is.
    """
    half = shape_inference.infer_shapes(with_plain_weights(model))
    _raise_small_scales(half.graph)
    _Halving(half.graph).run()
    if any(node.op_type == "QuantizeLinear" for node in half.graph.node):
        (opset,) = (entry for entry in half.opset_import if entry.domain == "")
        opset.version = max(opset.version, _OPSET_OF_HALF_SCALES)
    return half


def rounded_to_half(model: ModelProto) -> ModelProto:
    """The model in FP32, each result outside the islands rounded to float16: FP16 for a CPU.

    A CPU backend given FP16 computes in FP32 and rounds nothing, which flatters the result.
    """
    rounded = shape_inference.infer_shapes(with_plain_weights(model))
    graph = rounded.graph
    floats, islands = _floats(graph), _islands(graph)
    nodes = []
    for number, node in enumerate(graph.node):
        nodes.append(node)
        if number in islands or node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        for index, name in enumerate(node.output):
            if name in floats:
                exact, half = f"{name}.exact", f"{name}.half"
                node.output[index] = exact
                nodes.append(helper.make_node("Cast", [exact], [half], to=_HALF))
                nodes.append(helper.make_node("Cast", [half], [name], to=_FLOAT))
    _replace(graph, nodes, graph.initializer)
    return rounded


class _Halving:
    """One pass over a graph with plain weights, of which the floats become half in place."""

    def __init__(self, graph: GraphProto) -> None:
        self._graph = graph
        self._floats = _floats(graph)
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._nodes: list[NodeProto] = []
        self._half: set[str] = set()
        self._made: dict[str, TensorProto] = {}
        self._cast: set[str] = set()

    def run(self) -> None:
        islands = _islands(self._graph)
        for number, node in enumerate(self._graph.node):
            island = number in islands
            for index, name in enumerate(node.input):
                always_float = index in _ALWAYS_FLOAT.get(node.op_type, ())
                if name in self._floats:
                    node.input[index] = self._as(name, half=not (island or always_float))
                elif name in self._weights:
                    self._made[name] = self._weights[name]
            if not island:
                _halve_attributes(node)
                self._half.update(self._floats.intersection(node.output))
            self._nodes.append(node)
        _replace(self._graph, self._nodes, self._made.values())

    def _as(self, name: str, half: bool) -> str:
        """The name of a float value in the precision wanted, made where there is none yet."""
        wanted = f"{name}.half" if half else f"{name}.float"
        if name in self._weights:
            tensor = self._weights[name]
            if not half:
                self._made[name] = tensor
                return name
            if wanted not in self._made:
                values = numpy_helper.to_array(tensor).astype(np.float16)
                self._made[wanted] = numpy_helper.from_array(values, wanted)
            return wanted
        if (name in self._half) == half:
            return name
        if wanted not in self._cast:
            to = _HALF if half else _FLOAT
            self._nodes.append(helper.make_node("Cast", [name], [wanted], name=wanted, to=to))
            self._cast.add(wanted)
        return wanted


def _halve_attributes(node: NodeProto) -> None:
    """What a node makes from nothing, or casts to, in float16 where it was float32."""
    if node.op_type == "ConstantOfShape" and not node.attribute:
        zero = numpy_helper.from_array(np.zeros(1, np.float32))
        node.attribute.append(helper.make_attribute("value", zero))
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == _FLOAT:
            attribute.i = _HALF
        elif attribute.HasField("t") and attribute.t.data_type == _FLOAT:
            values = numpy_helper.to_array(attribute.t).astype(np.float16)
            attribute.t.CopyFrom(numpy_helper.from_array(values, attribute.t.name))


def _raise_small_scales(graph: GraphProto) -> None:
    """Quantize in coarser steps where float16 cannot hold the scale: values next to zero."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        scale = tensors[node.input[1]]
        scales = numpy_helper.to_array(scale)
        raised = np.maximum(scales, _LEAST_SCALE)
        if np.array_equal(raised, scales):
            continue
        if node.input[0] in tensors:
            axis = next((entry.i for entry in node.attribute if entry.name == "axis"), 1)
            _requantize(tensors[node.input[0]], scales / raised, axis)
        scale.CopyFrom(numpy_helper.from_array(raised, scale.name))


def _requantize(weights: TensorProto, factors: NDArray[np.float32], axis: int) -> None:
    quantized = numpy_helper.to_array(weights)
    shape = [-1 if side == axis else 1 for side in range(quantized.ndim)]
    shrunk = np.rint(quantized * factors.reshape(shape)).astype(quantized.dtype)
    weights.CopyFrom(numpy_helper.from_array(shrunk, weights.name))


def _floats(graph: GraphProto) -> set[str]:
    """The names of all float32 values of a graph whose types are inferred."""
    values = {
        value.name for value in graph.value_info if value.type.tensor_type.elem_type == _FLOAT
    }
    return values | {tensor.name for tensor in graph.initializer if tensor.data_type == _FLOAT}


def _islands(graph: GraphProto) -> set[int]:
    """The numbers of the nodes that stay FP32; nodes are in the order of computation."""
    islands: set[int] = set()
    behind_head: set[str] = set()
    for number, node in enumerate(graph.node):
        if node.op_type in _HEADS or behind_head.intersection(node.input):
            behind_head.update(node.output)
            islands.add(number)
        elif node.op_type in _SUMS:
            islands.add(number)
    return islands


def _replace(
    graph: GraphProto, nodes: Collection[NodeProto], weights: Collection[TensorProto]
) -> None:
    """Give a graph other nodes and weights, and forget the types that were inferred."""
    nodes, weights = list(nodes), list(weights)
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights)
