"""New nodes of a graph, one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from hyperseg_ros.runtime.graphs.index import Shape


class GraphWriter:
    """Collects nodes; their constants go to the model at once.

    Args:
        model: what the constants are for.
        purpose: what their names begin with.

    Attributes:
        nodes: in the order of computation.
    """

    def __init__(self, model: ModelProto, purpose: str) -> None:
        self.nodes: list[NodeProto] = []
        self._model = model
        self._constants: dict[tuple[str, bytes, Shape], str] = {}
        taken = {tensor.name for tensor in model.graph.initializer}
        names = (f"{purpose}.constant{number}" for number in itertools.count())
        self._free_names = (name for name in names if name not in taken)

    def add(self, operator: str, inputs: Sequence[str], made: str, **attributes: object) -> str:
        """Add a node that makes one value; gives the value's name, `made`."""
        self.nodes.append(helper.make_node(operator, inputs, [made], name=made, **attributes))
        return made

    def copy(self, node: NodeProto, inputs: Sequence[str], made: str | None = None) -> None:
        """Add a node like another, of other inputs, under another name where one is given."""
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = inputs
        if made is not None:
            copy.name, copy.output[0] = made, made
        self.nodes.append(copy)

    def reshape(self, name: str, shape: Shape, made: str) -> str:
        """Add a Reshape."""
        return self.add("Reshape", [name, self.constant(np.array(shape, np.int64))], made)

    def constant(self, value: NDArray[np.generic]) -> str:
        """The name of an initializer of a value, one for equal values."""
        key = (str(value.dtype), value.tobytes(), value.shape)
        if key not in self._constants:
            name = next(self._free_names)
            self._constants[key] = name
            self._model.graph.initializer.append(numpy_helper.from_array(value, name))
        return self._constants[key]
