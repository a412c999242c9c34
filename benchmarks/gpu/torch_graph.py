"""An ONNX graph of ours as a PyTorch module, to run on a GPU without TensorRT or ONNX Runtime.

It has the operators that model files and the graphs derived from them consist of. So what is timed
is the graph that TensorRT gets, in any form and precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from onnx import ModelProto, NodeProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

Values = dict[str, Any]


class TorchGraph(nn.Module):
    """Runs a graph; what depends on no input is computed once.

    Args:
        model: of a fixed batch, its weights initializers.

    Raises:
        NotImplementedError: an operator that is not known here.
    """

    def __init__(self, model: ModelProto) -> None:
        super().__init__()
        unknown = {node.op_type for node in model.graph.node} - set(OPERATORS)
        if unknown:
            raise NotImplementedError(f"operators {', '.join(sorted(unknown))}")
        self.outputs = [value.name for value in model.graph.output]
        (self.input,) = (value.name for value in model.graph.input)
        self.names: dict[str, str] = {}
        self.host: dict[str, np.ndarray] = {}
        for tensor in model.graph.initializer:
            self._keep(tensor.name, numpy_helper.to_array(tensor))
        self.nodes = [node for node in model.graph.node if not self._fold(node)]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The outputs for images, uint8 [N, H, W, 3]."""
        values: Values = {name: getattr(self, own) for name, own in self.names.items()}
        values[self.input] = images
        for node in self.nodes:
            self._run(node, values)
        return tuple(values[name] for name in self.outputs)

    def _run(self, node: NodeProto, values: Values) -> None:
        inputs = [values.get(name) for name in node.input]
        constants = [self.host.get(name) for name in node.input]
        result = OPERATORS[node.op_type](inputs, constants, _attributes(node))
        results = result if isinstance(result, (tuple, list)) else (result,)
        values.update(zip(node.output, results, strict=True))

    def _fold(self, node: NodeProto) -> bool:
        """Compute a node whose inputs are all constant; whether it is one."""
        if any(name and name not in self.host for name in node.input):
            return False
        values = {name: torch.from_numpy(self.host[name].copy()) for name in node.input if name}
        self._run(node, values)
        for name in node.output:
            self._keep(name, values[name].numpy())
        return True

    def _keep(self, name: str, value: np.ndarray) -> None:
        own = f"constant{len(self.names)}"
        self.names[name], self.host[name] = own, value
        self.register_buffer(own, torch.from_numpy(np.array(value)))


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def _cast(inputs: list[Any], _: list[Any], attributes: dict[str, Any]) -> Tensor:
    kind = helper.tensor_dtype_to_np_dtype(attributes["to"])
    return inputs[0].to(torch.from_numpy(np.zeros(0, kind)).dtype)


def _convolution(inputs: list[Any], _: list[Any], attributes: dict[str, Any]) -> Tensor:
    x, weight, bias = (*inputs, None)[:3]
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right):
        x = functional.pad(x, (left, right, top, bottom))
        top = left = 0
    strides, groups = attributes.get("strides", (1, 1)), attributes.get("group", 1)
    return functional.conv2d(x, weight, bias, strides, (top, left), groups=groups)


def _reshape(inputs: list[Any], constants: list[Any], _: dict[str, Any]) -> Tensor:
    sides = [
        inputs[0].shape[axis] if side == 0 else side
        for axis, side in enumerate(constants[1].tolist())
    ]
    return inputs[0].reshape(sides)


def _slice(inputs: list[Any], constants: list[Any], _: dict[str, Any]) -> Tensor:
    starts, stops = (values.tolist() for values in constants[1:3])
    axes = constants[3].tolist() if len(constants) > 3 else range(len(starts))
    cut = [slice(None)] * inputs[0].ndim
    for start, stop, axis in zip(starts, stops, axes, strict=True):
        cut[axis] = slice(start, stop)
    return inputs[0][tuple(cut)]


def _resize(inputs: list[Any], constants: list[Any], attributes: dict[str, Any]) -> Tensor:
    size = constants[3][2:].tolist() if len(constants) > 3 and constants[3] is not None else None
    factors = None if size else constants[2][2:].tolist()
    if attributes["mode"] == b"nearest":
        return functional.interpolate(inputs[0], size=size, scale_factor=factors)
    return functional.interpolate(
        inputs[0], size=size, scale_factor=factors, mode="bilinear", align_corners=False
    )


def _clip(inputs: list[Any], constants: list[Any], _: dict[str, Any]) -> Tensor:
    low, high = (None if limit is None else float(limit) for limit in (*constants, None)[1:3])
    return torch.clamp(inputs[0], low, high)


def _split(inputs: list[Any], constants: list[Any], attributes: dict[str, Any]) -> Any:
    return inputs[0].split(constants[1].tolist(), attributes.get("axis", 0))


def _gather(inputs: list[Any], _: list[Any], attributes: dict[str, Any]) -> Tensor:
    index = inputs[1]
    taken = inputs[0].index_select(attributes.get("axis", 0), index.flatten())
    axis = attributes.get("axis", 0)
    shape = (*inputs[0].shape[:axis], *index.shape, *inputs[0].shape[axis + 1 :])
    return taken.reshape(shape)


def _squeeze(inputs: list[Any], constants: list[Any], _: dict[str, Any]) -> Tensor:
    return inputs[0].squeeze(tuple(constants[1].tolist()))


def _unsqueeze(inputs: list[Any], constants: list[Any], _: dict[str, Any]) -> Tensor:
    result = inputs[0]
    for axis in sorted(constants[1].tolist()):
        result = result.unsqueeze(axis)
    return result


def _reduction(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(inputs: list[Any], constants: list[Any], attributes: dict[str, Any]) -> Tensor:
        axes = attributes.get("axes") or constants[1].tolist()
        return reduce(inputs[0], axes, keepdim=bool(attributes.get("keepdims", 1)))

    return run


def _of(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operator that takes its inputs and no attributes."""
    return lambda inputs, *_: function(*inputs)


OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": _of(torch.add),
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda inputs, _, attributes: torch.cat(inputs, attributes["axis"]),
    "Conv": _convolution,
    "Equal": _of(torch.eq),
    "Exp": _of(torch.exp),
    "Expand": lambda inputs, constants, _: inputs[0].expand(constants[1].tolist()),
    "Gather": _gather,
    "GlobalAveragePool": _of(lambda x: x.mean((2, 3), keepdim=True)),
    "Identity": _of(lambda x: x),
    "MatMul": _of(torch.matmul),
    "Max": _of(torch.maximum),
    "Mul": _of(torch.mul),
    "Reciprocal": _of(torch.reciprocal),
    "ReduceMean": _reduction(torch.mean),
    "ReduceSum": _reduction(torch.sum),
    "Relu": _of(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _of(torch.sigmoid),
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Sub": _of(torch.sub),
    "Transpose": lambda inputs, _, attributes: inputs[0].permute(attributes["perm"]),
    "Unsqueeze": _unsqueeze,
    "Where": _of(torch.where),
}
"""What an operator does, from its inputs, the constants among them, and its attributes."""
