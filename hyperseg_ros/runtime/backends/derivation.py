"""The graph that a GPU runs, derived from a model file: its precision, and the decoder's form."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import onnx
from onnx import ModelProto

from hyperseg_ros.runtime.backends.base import BackendError
from hyperseg_ros.runtime.backends.verification import REQUIRED, REQUIRED_INT8
from hyperseg_ros.runtime.graphs.forms import FORMS, in_form
from hyperseg_ros.runtime.precision import (
    is_quantized,
    no_int8_encoder,
    to_half,
    with_float_depthwise,
    with_float_encoder,
    with_plain_weights,
)

PRECISIONS = ("fp32", "fp16", "int8")
"""What a GPU can run a model in; int8 is an INT8 encoder with FP16 around it."""


class Derivation(NamedTuple):
    """What a graph is derived as."""

    precision: str
    """One of `PRECISIONS`."""
    form: str
    """Of the decoder, one of `FORMS`."""

    def __str__(self) -> str:
        return f"{self.precision}, {self.form} form"


@dataclass(frozen=True)
class ModelSource:
    """A model file, as graphs are derived from it.

    Args:
        path: a model file that follows the contract.
        batch_size: images per call; must be the file's own, unless that is free.

    Attributes:
        quantized: whether its encoder is INT8.
    """

    path: Path
    batch_size: int
    quantized: bool
    sha256: str

    @classmethod
    def read(cls, path: Path, batch_size: int) -> ModelSource:
        """Look at a file."""
        content = path.read_bytes()
        quantized = is_quantized(onnx.load_model_from_string(content))
        return cls(path, batch_size, quantized, hashlib.sha256(content).hexdigest())

    @property
    def required(self) -> float:
        """The share of labels that must be ONNX Runtime's."""
        return REQUIRED_INT8 if self.quantized else REQUIRED

    def derivations(self, precision: str) -> list[Derivation]:
        """What to try for a precision, in order.

        INT8 may be slower than FP16, so `auto` never takes it unmeasured.

        Args:
            precision: one of `PRECISIONS`, or `auto`.

        Raises:
            BackendError: the model does not run in the precision.
        """
        if precision == "int8" and not self.quantized:
            raise BackendError(no_int8_encoder(self.path))
        if precision not in ("auto", *PRECISIONS):
            raise BackendError(
                f"a GPU runs in {', '.join(PRECISIONS)}, not {precision}; "
                "use precision auto, or a CPU backend"
            )
        precisions = ("fp16", "fp32") if precision == "auto" else (precision,)
        return [Derivation(each, form) for each in precisions for form in FORMS]

    def contest(self, precision: str) -> list[Derivation]:
        """What to time for a precision: `auto` is FP16, and INT8 where the file is.

        Raises:
            BackendError: the model does not run in the precision.
        """
        precisions = [precision]
        if precision == "auto":
            precisions = ["fp16", "int8"] if self.quantized else ["fp16"]
        return [found for each in precisions for found in self.derivations(each)]

    def graph(self, derivation: Derivation) -> ModelProto:
        """A graph of one batch size.

        Raises:
            BackendError: the file was exported for another batch size.
        """
        model = onnx.load(str(self.path))
        _fix_batch(model, self.batch_size)
        model = with_plain_weights(model)
        if self.quantized:
            keeps_int8 = derivation.precision == "int8"
            model = with_float_depthwise(model) if keeps_int8 else with_float_encoder(model)
        model = in_form(model, derivation.form)
        return model if derivation.precision == "fp32" else to_half(model)


def _fix_batch(model: ModelProto, batch_size: int) -> None:
    """Give a graph with a free batch a number of images; check it where it has one."""
    for value in (*model.graph.input, *model.graph.output):
        side = value.type.tensor_type.shape.dim[0]
        if side.HasField("dim_value") and side.dim_value != batch_size:
            raise BackendError(
                f"the model is exported for batches of {side.dim_value}, not {batch_size}: "
                f"`hyperseg export --batch {batch_size}` writes one that fits"
            )
        side.dim_value = batch_size
