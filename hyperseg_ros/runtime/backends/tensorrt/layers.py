"""What an engine is made of, read from TensorRT's own list: kernels, bytes, scratch memory.

With detailed profiling, TensorRT-RTX prints the layers of an engine as it builds one, so what is
fused is known on a machine without a GPU. The list says nothing about time.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_LAYER = re.compile(
    r"^Name: (?P<name>.*?), LayerType: (?P<kind>\w+), "
    r"Inputs: \[(?P<inputs>.*?)\], Constants: \[(?P<constants>.*?)\], "
    r"Outputs: \[(?P<outputs>.*)\], TacticName: ",
    re.MULTILINE,
)
_TENSOR = re.compile(r"Dimensions: \[([\d,]*)\].*?Datatype: (\w+)")
_SCRATCH = re.compile(r"Max Scratch Memory: (\d+) bytes")
_BYTES = {
    **dict.fromkeys(("Bool", "Int8", "UInt8", "FP8"), 1),
    **dict.fromkeys(("Half", "BFloat16"), 2),
    **dict.fromkeys(("Float", "Int32"), 4),
    "Int64": 8,
}
_SYNCHRONIZING = ("signal", "wait")


@dataclass(frozen=True)
class Layer:
    """A step of an engine."""

    name: str
    kind: str
    """What TensorRT calls it, such as `gemm` or `kgen`."""
    inputs: int
    """Bytes of the values that it reads, if it reads each once."""
    constants: int
    """Bytes of its weights."""
    outputs: int
    """Bytes of what it writes."""

    @property
    def traffic(self) -> int:
        """Bytes that it moves, if no cache helps."""
        return self.inputs + self.constants + self.outputs


@dataclass(frozen=True)
class LayerList:
    """The steps of an engine that compute, in TensorRT's order."""

    layers: tuple[Layer, ...]
    scratch: int
    """Bytes of device memory for values between layers."""

    @property
    def kernels(self) -> int:
        """Steps that launch something."""
        return len(self.layers)

    @property
    def traffic(self) -> int:
        """Bytes moved for a frame, if no cache helps."""
        return sum(layer.traffic for layer in self.layers)

    def __str__(self) -> str:
        """The list as a table of text, what moves most first."""
        rows = [f"{self.kernels} kernels, {self.traffic / 1e6:.1f} MB moved for a frame"]
        rows += [
            f"{layer.traffic / 1e6:9.3f} MB  {layer.kind:<17} {layer.name}"
            for layer in sorted(self.layers, key=lambda layer: -layer.traffic)
        ]
        return "\n".join(rows) + "\n"


def read_layers(log: str) -> LayerList:
    """The layers that a build log of TensorRT-RTX lists; none where it has no list."""
    layers = tuple(
        Layer(
            match["name"],
            match["kind"],
            *(_bytes(match[values]) for values in ("inputs", "constants", "outputs")),
        )
        for match in _LAYER.finditer(log)
        if match["kind"] not in _SYNCHRONIZING
    )
    scratch = _SCRATCH.search(log)
    return LayerList(layers, int(scratch[1]) if scratch else 0)


def _bytes(values: str) -> int:
    """The size of a list of tensors, without the padding that strides may add."""
    return sum(
        math.prod(int(side) for side in sides.split(",") if side) * _BYTES[kind]
        for sides, kind in _TENSOR.findall(values)
    )
