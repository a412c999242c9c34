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
    DeviceLostError,
    EngineOptions,
    InferenceError,
)
from hyperseg_ros.runtime.backends.derivation import ModelSource
from hyperseg_ros.runtime.backends.tensorrt.builder import EngineError
from hyperseg_ros.runtime.backends.tensorrt.cuda import CudaError, Device, NoDeviceError
from hyperseg_ros.runtime.backends.tensorrt.engines import Engines, Ready
from hyperseg_ros.runtime.backends.tensorrt.execution import Execution
from hyperseg_ros.runtime.backends.tensorrt.library import Library, find_usable
from hyperseg_ros.runtime.model_file import read_card


class TensorRtBackend:
    """A model run by TensorRT on a CUDA device.

    The engine comes from the cache, or is built and compared with the model file, which takes
    minutes, once. When a batch fails on the device the engine is reloaded, once in a backend's
    life; should that not help, or another batch fail, the backend is lost. After an error that CUDA
    does not recover from, so is the device, to this process.

    Args:
        path: a model file that follows the contract.
        precision: `fp32`, `fp16`, `int8` for a model file with an INT8 encoder, or `auto`: what
            `hyperseg build` found to be the fastest, else `fp16`.
        batch_size: images per batch.
        options: the GPU, the engine's cache, workspace, and whom to tell what happens.
        platform: TensorRT and the device; None to find them.
        driver: CUDA's driver; None for cuda-python's.

    Raises:
        BackendError: TensorRT or a device is missing, or no engine can be built and used.
        DeviceLostError: the device is lost to this process.
    """

    name = "tensorrt"

    def __init__(
        self,
        path: Path,
        *,
        precision: str = "auto",
        batch_size: int = 1,
        options: EngineOptions = DEFAULT_ENGINES,
        platform: tuple[Library, Device] | None = None,
        driver: Any = None,
    ) -> None:
        library, device = platform or find_usable(options.gpu)
        engines = open_engines(path, batch_size, options, (library, device), driver)
        self._ready: Ready = engines.obtain(precision)
        self._execution: Execution | None = self._ready.execution
        self._notify, self._reloads_left = options.notify, 1
        self.batch_size, self.reason = batch_size, ""
        self.device = f"{device.name}, {library}"
        self.precision = self._ready.derivation.precision
        findings = self._ready.findings
        self.details = {
            "engine cache": self._ready.text,
            "engine": f"{self._ready.derivation}, {findings.milliseconds:.2f} ms when built, "
            f"{findings.agreement:.2%} of the labels equal ONNX Runtime's",
            **self._execution.details,
        }
        options.notify(f"engine {self._ready.text}")

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if self._execution is None:
            raise BackendLostError("TensorRT is lost since an earlier error: reconfigure")
        try:
            return self._execution(images)
        except (CudaError, EngineError) as error:
            self._recover(error)
            raise InferenceError(f"{error}: the frame is lost, the engine is reloaded") from error

    def layers(self) -> str:
        """See `Execution.layers`."""
        return "" if self._execution is None else self._execution.layers()

    def close(self) -> None:
        if self._execution is not None:
            self._execution.close()
            self._execution = None

    def _recover(self, error: Exception) -> None:
        """Reload the engine, or give up."""
        try:
            self.close()
        except CudaError:
            self._execution = None
        if isinstance(error, CudaError) and error.is_sticky:
            raise DeviceLostError(f"CUDA is lost to this process: {error}") from error
        if not self._reloads_left:
            raise BackendLostError(
                f"{error}, again after the engine was reloaded: reconfigure, or use a "
                "smaller model or a CPU backend if it persists"
            ) from error
        self._reloads_left -= 1
        self._notify(f"{error}: reloading the engine")
        try:
            self._execution = self._ready.reload()
        except (BackendError, CudaError) as second:
            raise BackendLostError(
                f"{error}, and the engine cannot be reloaded ({second}): restart the process"
            ) from error


def open_engines(
    path: Path,
    batch_size: int,
    options: EngineOptions,
    platform: tuple[Library, Device],
    driver: Any = None,
) -> Engines:
    """The engines of a model file on a device.

    Raises:
        ModelFileError: the file does not follow the contract.
    """
    library, device = platform
    shape = (batch_size, *read_card(path).input_size, 3)

    def load(engine: bytes, mapped: bool, kernels: bytes) -> Execution:
        try:
            return Execution(
                library,
                engine,
                shape,
                gpu=options.gpu,
                mapped=mapped,
                kernels=kernels,
                driver=driver,
            )
        except NoDeviceError as error:
            raise BackendError(str(error)) from error

    return Engines(ModelSource.read(path, batch_size), library, device, options, load)
