"""ONNX Runtime on the CPU: for machines that OpenVINO has no build for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends.base import BackendError
from hyperseg_ros.runtime.backends.cpu import cpu_name
from hyperseg_ros.runtime.model_file import INPUT, OUTPUTS, ModelFileError, in_brief

_ERRORS_ONLY = 3


class OnnxRuntimeBackend:
    """A model run by ONNX Runtime's CPU execution provider.

    Args:
        path: a model file that follows the contract.
        threads: CPU threads, 0 for one per physical core.
        precision: `fp32`, or `auto`, which is the same here.
        batch_size: images per batch.

    Raises:
        BackendError: another precision was asked for.
        ModelFileError: ONNX Runtime cannot load the file.
    """

    name = "onnxruntime"

    def __init__(
        self, path: Path, *, threads: int = 0, precision: str = "auto", batch_size: int = 1
    ) -> None:
        if precision not in ("auto", "fp32"):
            raise BackendError(
                f"onnxruntime runs in fp32 on a CPU, not {precision}; "
                "use precision fp32, or the openvino backend"
            )
        self.precision = "fp32"
        self.batch_size, self.reason = batch_size, ""
        self.details: dict[str, str] = {}
        self.device = cpu_name()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exception classes share no base of their own
            reason = in_brief(str(error) or type(error).__name__)
            raise ModelFileError(f"ONNX Runtime cannot load {path}: {reason}") from error

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        labels, confidence = self._session.run(OUTPUTS, {INPUT: images})
        return labels, confidence

    def close(self) -> None:
        del self._session
