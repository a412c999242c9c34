"""TensorRT: the model compiled for an NVIDIA GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends.base import (
    DEFAULT_ENGINES,
    BackendError,
    BackendLostError,
    EngineOptions,
    InferenceError,
)
from hyperseg_ros.runtime.backends.tensorrt.builder import EngineError
from hyperseg_ros.runtime.backends.tensorrt.cache import CacheMiss
from hyperseg_ros.runtime.backends.tensorrt.cuda import CudaError, Device, NoDeviceError
from hyperseg_ros.runtime.backends.tensorrt.engines import EngineRequest, obtain
from hyperseg_ros.runtime.backends.tensorrt.execution import Execution
from hyperseg_ros.runtime.backends.tensorrt.library import Library, find_usable
from hyperseg_ros.runtime.model_file import read_card


class TensorRtBackend:
    """A model run by TensorRT on the first CUDA device.

    The engine comes from the cache, or is built, which takes minutes, once. When a batch fails
    on the device the engine is loaded anew, once in a backend's life; should that not help, or
    another batch fail, the backend is lost.

    Args:
        path: a model file that follows the contract.
        threads: ignored: the GPU does the work.
        precision: `fp32`, `fp16`, `int8` for a model file with an INT8 encoder, or `auto`: the
            fastest that the file offers.
        batch_size: images per call.
        options: the engine's cache, workspace, and whom to tell what happens.
        platform: TensorRT and the device; None to find them.
        driver: CUDA's driver; None for cuda-python's.

    Raises:
        BackendError: TensorRT or a device is missing, or the engine cannot be had.
    """

    name = "tensorrt"

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        precision: str = "auto",
        batch_size: int = 1,
        options: EngineOptions = DEFAULT_ENGINES,
        platform: tuple[Library, Device] | None = None,
        driver: Any = None,
    ) -> None:
        self._library, device = platform or find_usable()
        request = EngineRequest(path, precision, batch_size).resolved()
        height, width = read_card(path).input_size
        self._shape = (batch_size, height, width, 3)
        self._driver, self._notify = driver, options.notify
        execution, source = obtain(request, self._library, device, options, self._open)
        self._execution: Execution | None = execution
        self._reload = source.reload
        self._reloads_left = 1
        self.device = f"{device.name}, {self._library}"
        self.precision = request.precision
        self.details = {"engine cache": source.text, **execution.details}
        options.notify(f"engine {source.text}")

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if self._execution is None:
            raise BackendLostError("TensorRT is lost since an earlier error: configure anew")
        try:
            return self._execution(images)
        except (CudaError, EngineError) as error:
            self._recover(error)
            raise InferenceError(
                f"{error}: the frame is lost, the engine is loaded anew"
            ) from error

    def layers(self) -> str:
        """See `Execution.layers`."""
        return "" if self._execution is None else self._execution.layers()

    def close(self) -> None:
        if self._execution is not None:
            self._execution.close()
            self._execution = None

    def _open(self, engine: bytes) -> Execution:
        try:
            return Execution(self._library, engine, self._shape, self._driver)
        except NoDeviceError as error:
            raise BackendError(str(error)) from error

    def _recover(self, error: Exception) -> None:
        """Load the engine anew, or give up."""
        try:
            self.close()
        except CudaError:
            self._execution = None
        if not self._reloads_left:
            raise BackendLostError(
                f"{error}, again after the engine was loaded anew: configure anew, or use a "
                "smaller model or a CPU backend if it persists"
            ) from error
        self._reloads_left -= 1
        self._notify(f"{error}: loading the engine anew")
        try:
            self._execution = self._open(self._reload())
        except (BackendError, CacheMiss, CudaError) as second:
            raise BackendLostError(
                f"{error}, and the engine cannot be loaded anew ({second}): restart the process"
            ) from error
