"""ONNX Runtime on an NVIDIA GPU: for machines without TensorRT, or where it refuses a model."""

from __future__ import annotations

import contextlib
import re
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends.base import (
    DEFAULT_ENGINES,
    BackendError,
    DeviceLostError,
    EngineOptions,
    InferenceError,
)
from hyperseg_ros.runtime.backends.derivation import Derivation, ModelSource
from hyperseg_ros.runtime.backends.verification import Verification
from hyperseg_ros.runtime.model_file import INPUT, OUTPUTS, read_card

_PACKAGE = "onnxruntime-gpu"
_ERRORS_ONLY = 3
_STICKY = re.compile(r"CUDA (failure|error) 7\d\d")
"""From 700 on (an illegal address) CUDA is lost to the process."""

PRECISIONS = ("fp16", "fp32")
"""What it runs in; `auto` is the first that gives the model's labels."""


def describe_usable(gpu: int = 0) -> str:
    """The ONNX Runtime that runs on a GPU, and the GPU, for people.

    Without the package nothing is imported.

    Raises:
        BackendError: it is not installed, or there is no such GPU.
    """
    try:
        version = metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        raise BackendError(f"{_PACKAGE} is not installed") from None
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise BackendError(
            f"{_PACKAGE} {version} is hidden by another onnxruntime: pip uninstall onnxruntime "
            f"{_PACKAGE}, pip install {_PACKAGE}"
        )
    from hyperseg_ros.runtime.backends.tensorrt.cuda import NoDeviceError, find_device

    try:
        device = find_device(gpu)
    except NoDeviceError as error:
        raise BackendError(f"{_PACKAGE} {version} found, {error}") from None
    return f"{device.name}, ONNX Runtime {version}"


class CudaBackend:
    """A model run by ONNX Runtime's CUDA execution provider.

    The graph has the decoder's product form, as TensorRT's. It is used in the first precision in
    which its labels on frames of the package are those of the CPU.

    Args:
        path: a model file that follows the contract.
        precision: `fp16`, `fp32`, or `auto`.
        batch_size: images per batch.
        options: the GPU, and whom to tell what happens.
        provider: of ONNX Runtime.

    Raises:
        BackendError: the GPU cannot be used, or labels are not the model's.
    """

    name = "cuda"

    def __init__(
        self,
        path: Path,
        *,
        precision: str = "auto",
        batch_size: int = 1,
        options: EngineOptions = DEFAULT_ENGINES,
        provider: str = "CUDAExecutionProvider",
    ) -> None:
        if precision not in ("auto", *PRECISIONS):
            raise BackendError(
                f"cuda runs in {' or '.join(PRECISIONS)}, not {precision}: use precision auto"
            )
        on_gpu = provider == "CUDAExecutionProvider"
        self.device = describe_usable(options.gpu) if on_gpu else provider
        self.batch_size, self.reason = batch_size, ""
        self._memory, self._gpu, self._provider = "cuda" if on_gpu else "cpu", options.gpu, provider
        self._shape = (batch_size, *read_card(path).input_size)
        self._lost = ""
        self.precision, agreement = self._load(path, precision, options)
        self.details = {"agreement": f"{agreement:.2%} of the labels equal the CPU's"}

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if self._lost:
            raise DeviceLostError(self._lost)
        try:
            self._input.update_inplace(images)
            self._session.run_with_iobinding(self._binding)
            labels, confidence = (np.array(output.numpy()) for output in self._outputs)
        except Exception as error:  # its exception classes share no base of their own
            reason = str(error).strip().splitlines()[0]
            if _STICKY.search(str(error)):
                self._lost = f"CUDA is lost to this process: {reason}"
                raise DeviceLostError(self._lost) from error
            raise InferenceError(f"ONNX Runtime failed on the GPU: {reason}") from error
        return labels, confidence

    def close(self) -> None:
        for name in ("_binding", "_outputs", "_input", "_session"):
            with contextlib.suppress(AttributeError):
                delattr(self, name)

    def _load(self, path: Path, precision: str, options: EngineOptions) -> tuple[str, float]:
        """Open the model in the first precision that gives its labels."""
        source = ModelSource.read(path, self.batch_size)
        verification = Verification(path, self.batch_size, source.required)
        refusal = ""
        for each in PRECISIONS if precision == "auto" else (precision,):
            self._open(source.graph(Derivation(each, "product")).SerializeToString())
            try:
                agreement = verification.agreement(self.infer)
            except InferenceError as error:
                raise BackendError(str(error)) from error
            if agreement >= source.required:
                return each, agreement
            self.close()
            refusal = (
                f"ONNX Runtime on the GPU is refused in {each}: only {agreement:.1%} of its labels "
                f"are those of the CPU, and {source.required:.0%} must be"
            )
            options.notify(refusal)
        raise BackendError(refusal)

    def _open(self, model: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        settings = {"device_id": str(self._gpu)} if self._memory == "cuda" else {}
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=[(self._provider, settings)]
            )
        except Exception as error:
            reason = str(error).strip().splitlines()[0]
            raise BackendError(f"ONNX Runtime does not load it on the GPU: {reason}") from error
        if self._provider not in self._session.get_providers():
            # It goes on with the CPU when a library is missing, and only logs it.
            raise BackendError(
                "ONNX Runtime cannot use the GPU: CUDA and cuDNN of the versions that it is built "
                f"for are missing (pip install '{_PACKAGE}[cuda,cudnn]')"
            )

        def buffer(shape: tuple[int, ...]) -> onnxruntime.OrtValue:
            return onnxruntime.OrtValue.ortvalue_from_numpy(
                np.zeros(shape, np.uint8), self._memory, self._gpu
            )

        self._binding = self._session.io_binding()
        self._input = buffer((*self._shape, 3))
        self._binding.bind_ortvalue_input(INPUT, self._input)
        self._outputs = [buffer(self._shape) for _ in OUTPUTS]
        for name, output in zip(OUTPUTS, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(name, output)
