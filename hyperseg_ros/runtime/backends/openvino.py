"""OpenVINO on the CPU: the fastest of the CPU backends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends.base import BackendError
from hyperseg_ros.runtime.backends.cpu import adds_bytes_in_16_bits
from hyperseg_ros.runtime.backends.silent_openvino import openvino
from hyperseg_ros.runtime.model_file import INPUT, OUTPUTS, ModelFileError
from hyperseg_ros.runtime.precision.saturation import may_saturate

_PRECISION_HINT = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoBackend:
    """A model compiled by OpenVINO for this machine's CPU.

    Args:
        path: a model file that follows the contract.
        threads: CPU threads, 0 for as many as OpenVINO finds best (the physical cores).
        precision: `fp32`; `bf16`, which needs a CPU with bfloat16 instructions; or `auto`, bf16
            where the CPU has them.
        batch_size: images per batch.

    Raises:
        BackendError: the CPU lacks the precision, or the instructions for the INT8 of this file.
        ModelFileError: OpenVINO cannot compile the file.
    """

    name = "openvino"

    def __init__(
        self, path: Path, *, threads: int = 0, precision: str = "auto", batch_size: int = 1
    ) -> None:
        self.batch_size, self.reason = batch_size, ""
        self.details: dict[str, str] = {}
        core = openvino.Core()
        self.device = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        # Left alone, OpenVINO picks bf16 silently; here the precision is always a stated one.
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and not has_bf16:
            raise BackendError(f"{self.device} has no bfloat16 instructions; use precision fp32")
        self.precision = ("bf16" if has_bf16 else "fp32") if precision == "auto" else precision
        properties: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": _PRECISION_HINT[self.precision],
        }
        if threads:
            properties["INFERENCE_NUM_THREADS"] = threads
        if adds_bytes_in_16_bits() and may_saturate(onnx.load(path)):
            raise BackendError(
                f"{path} has INT8 weights whose sums saturate on this CPU, which has no VNNI "
                "instructions: make it anew with `hyperseg build --precision int8`, or use the "
                "onnxruntime backend"
            )
        try:
            model = core.read_model(path)
            shape = model.input(INPUT).partial_shape
            shape[0] = batch_size
            model.reshape({INPUT: shape})
            compiled = core.compile_model(model, "CPU", properties)
        except Exception as error:  # of whatever kind a file makes it raise
            raise ModelFileError(f"OpenVINO cannot compile {path}: {_reason(error)}") from error
        self._request = compiled.create_infer_request()
        self._outputs = [self._request.get_tensor(name) for name in OUTPUTS]

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if not images.flags.writeable:
            images = images.copy()  # OpenVINO shares no memory that it could not write to
        self._request.set_tensor(INPUT, openvino.Tensor(images, shared_memory=True))
        self._request.infer()
        labels, confidence = (tensor.data.copy() for tensor in self._outputs)
        return labels, confidence

    def close(self) -> None:
        del self._outputs, self._request


def _reason(error: Exception) -> str:
    """One line of what OpenVINO says: its summary, or all but the place in its own source."""
    text = str(error)
    reason = text.partition("Summary:")[2] or text.partition("\n")[2] or text
    return " ".join(reason.split())
