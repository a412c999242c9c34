"""A model in another precision against the FP32 model, on a folder of images."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends.base import Backend, BackendError
from hyperseg_ros.runtime.image_folder import sample_frames
from hyperseg_ros.runtime.model_file import INPUT, OUTPUTS, fixed_batch, read_card
from hyperseg_ros.runtime.precision.agreement import Agreement, Model, compare
from hyperseg_ros.runtime.precision.dequantization import with_float_depthwise
from hyperseg_ros.runtime.precision.half import rounded_to_half
from hyperseg_ros.runtime.precision.int8 import is_quantized, no_int8_encoder

_MOST_FRAMES = 50


@dataclass(frozen=True)
class FolderComparison:
    """What to compare with, and on what.

    Args:
        reference: the FP32 model file.
        folder: of images.
        labels: folder of true labels, PNG of class ids with the same names; or None.

    Raises:
        ValueError: the reference is INT8.
    """

    reference: Path
    folder: Path
    labels: Path | None = None

    def __post_init__(self) -> None:
        if is_quantized(onnx.load(str(self.reference))):
            raise ValueError(
                f"{self.reference} is INT8: give --reference with the FP32 model file to compare "
                "with"
            )

    @property
    def name(self) -> str:
        """The folder by its last two names, as camvid/val."""
        return "/".join(self.folder.resolve().parts[-2:])

    def run_file(self, path: Path) -> Agreement:
        """Compare a model file as ONNX Runtime runs it; else as `run`."""
        with closing(_onnxruntime(path)) as backend:
            return self.run(self.first_of_batch(backend))

    def run(self, model: Model) -> Agreement:
        """Compare a model on the images; of many, on some that are evenly spread.

        Raises:
            BackendError: ONNX Runtime, which runs the reference, is not installed.
            ValueError: an image or its labels cannot be used, or there are none.
        """
        card = read_card(self.reference)
        with closing(_onnxruntime(self.reference)) as backend:
            return compare(
                model,
                self.first_of_batch(backend),
                sample_frames(self.folder, self.labels, _MOST_FRAMES),
                card.input_size,
                len(card.classes),
            )

    def first_of_batch(self, backend: Backend) -> Model:
        """The labels that a backend of the reference's batch size gives to one frame."""
        batch_size = fixed_batch(self.reference) or 1

        def labels(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
            found, _ = backend.infer(np.repeat(frame[None], batch_size, axis=0))
            return found[0]

        return labels


def _onnxruntime(path: Path) -> Backend:
    """A model file on ONNX Runtime."""
    try:
        from hyperseg_ros.runtime.backends.onnxruntime import OnnxRuntimeBackend
    except ImportError:
        raise BackendError("there is nothing to compare with: pip install onnxruntime") from None
    return OnnxRuntimeBackend(path, batch_size=fixed_batch(path) or 1)


def simulate(path: Path, precision: str) -> tuple[str, Model]:
    """A model file as a GPU computes it, on ONNX Runtime's CPU kernels.

    Args:
        path: a model file, FP32 or with an INT8 encoder.
        precision: `fp32`, `fp16`, `int8`, or `auto`, which is the file's own on a GPU.

    Returns:
        The precision, `auto` resolved, and what gives labels.

    Raises:
        ValueError: the file has no INT8 encoder.
    """
    import onnxruntime

    model = onnx.load(str(path))
    if precision == "auto":
        precision = "int8" if is_quantized(model) else "fp16"
    if precision == "int8" and not is_quantized(model):
        raise ValueError(no_int8_encoder(path))
    model = with_float_depthwise(model)
    model = model if precision == "fp32" else rounded_to_half(model)
    options = onnxruntime.SessionOptions()
    # Optimizing would undo the rounding.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    batch_size = fixed_batch(path) or 1

    def labels(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        (found,) = session.run(OUTPUTS[:1], {INPUT: np.repeat(frame[None], batch_size, axis=0)})
        return np.asarray(found[0])

    return precision, labels
