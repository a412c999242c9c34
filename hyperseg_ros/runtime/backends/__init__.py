"""Backends: what runs a model file. All share the interface `Backend`; one is chosen by name."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hyperseg_ros.runtime.backends.base import (
    DEFAULT_ENGINES,
    DEVICES,
    Backend,
    BackendError,
    BackendLostError,
    DeviceLostError,
    EngineOptions,
    InferenceError,
)
from hyperseg_ros.runtime.deadline import within
from hyperseg_ros.runtime.model_file import ModelFileError, fixed_batch, in_brief, read_card

__all__ = [
    "BACKENDS",
    "DEFAULT_ENGINES",
    "DEVICES",
    "PRECISIONS",
    "Backend",
    "BackendError",
    "BackendLostError",
    "Choice",
    "DeviceLostError",
    "EngineOptions",
    "InferenceError",
    "choose_backend",
    "installed_backends",
    "open_backend",
]


@dataclass(frozen=True)
class _Entry:
    title: str
    """What people call it."""
    package: str
    """The package that must be installed."""
    implementation: str
    """`module:class`, imported only when the backend is used."""


@dataclass(frozen=True)
class _GpuEntry:
    finder: str
    """`module:function`: describes what is found for a GPU's number, or raises BackendError."""
    implementation: str
    """`module:class`, imported only when the backend is used."""


_HERE = "hyperseg_ros.runtime.backends"
# Fastest first: `auto` takes the first that can be used.
_GPU_ENTRIES = {
    "tensorrt": _GpuEntry(
        f"{_HERE}.tensorrt.library:describe_usable", f"{_HERE}.tensorrt.backend:TensorRtBackend"
    ),
    "cuda": _GpuEntry(f"{_HERE}.cuda:describe_usable", f"{_HERE}.cuda:CudaBackend"),
}
"""The backends that run on a GPU; looking for one loads its libraries."""
_ENTRIES = {
    "openvino": _Entry("OpenVINO", "openvino", f"{_HERE}.openvino:OpenVinoBackend"),
    "onnxruntime": _Entry("ONNX Runtime", "onnxruntime", f"{_HERE}.onnxruntime:OnnxRuntimeBackend"),
}
"""The backends that run on a CPU."""

BACKENDS = ("auto", *_GPU_ENTRIES, *_ENTRIES)
"""The names that `open_backend` knows."""
_CPU_PRECISIONS = ("fp32", "bf16")
PRECISIONS = ("auto", *_CPU_PRECISIONS, "fp16", "int8")
"""The precisions a backend may be asked for; `auto` is the fastest native to the hardware.

A CPU runs in fp32 or bf16; a GPU in fp32, fp16 or, where the model's encoder is INT8, int8.
"""

_MAX_THREADS = 256
_LOADING_LIMIT = 120.0
"""Seconds that a CPU backend may take to load a model: many times what the largest does."""


@dataclass(frozen=True)
class Choice:
    """A backend, and why it was chosen."""

    name: str
    reason: str
    """A sentence for people: what was found, what was missing."""


def installed_backends() -> list[str]:
    """The names of the CPU backends whose package is installed, fastest first."""
    return [name for name, entry in _ENTRIES.items() if _installed(entry)]


def choose_backend(name: str, gpu: int = 0) -> Choice:
    """The backend that `name` stands for: itself, or for `auto` the fastest that is usable.

    Args:
        name: one of `BACKENDS`.
        gpu: the GPU's number, as CUDA counts.

    Raises:
        BackendError: `name` is not one of `BACKENDS`, or what it needs is not there.
    """
    if name == "auto":
        missing = []
        for each in _GPU_ENTRIES:
            try:
                return choose_backend(each, gpu)
            except BackendError as error:
                missing.append(str(error))
        return _cpu_instead("; ".join(missing))
    if name in _GPU_ENTRIES:
        return Choice(name, _load(_GPU_ENTRIES[name].finder)(gpu))
    if name not in _ENTRIES:
        nearest = difflib.get_close_matches(name, BACKENDS, n=1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise BackendError(f"no backend {name!r}: {hint}The backends are {', '.join(BACKENDS)}")
    if not _installed(_ENTRIES[name]):
        raise BackendError(
            f"the {name} backend needs a package that is not installed: "
            f"pip install {_ENTRIES[name].package}"
        )
    return Choice(name, f"{_ENTRIES[name].title} as asked")


def open_backend(
    name: str,
    path: Path,
    *,
    threads: int = 0,
    precision: str = "auto",
    engines: EngineOptions = DEFAULT_ENGINES,
) -> Backend:
    """Load a model file, already checked by `read_card`, on a backend.

    The batch is the one that the file was exported with, 1 where that is free. With `auto`, a model
    that a GPU cannot run after all goes to the next backend, and the backend's reason says so.

    Args:
        name: one of `BACKENDS`.
        path: the model file.
        threads: CPU threads, 0 for the backend's own choice.
        precision: one of `PRECISIONS`.
        engines: the GPU, and how TensorRT's engines are built and kept.

    Raises:
        BackendError: the backend is not known, not installed, or cannot run as asked.
        ModelFileError: the backend cannot load or run the file.
        DeviceLostError: the GPU is lost to this process.
    """
    if not 0 <= threads <= _MAX_THREADS:
        raise BackendError(
            f"threads must be 0 (the backend's own choice) to {_MAX_THREADS}, not {threads}"
        )
    if precision not in PRECISIONS:
        raise BackendError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    options = {"precision": precision, "batch_size": fixed_batch(path) or 1}
    if name in _GPU_ENTRIES:
        return _open_on_gpu(choose_backend(name, engines.gpu), path, engines, options)
    if engines.device not in DEVICES:
        raise BackendError(f"device must be one of {', '.join(DEVICES)}, not {engines.device!r}")
    if name == "auto" and engines.device in ("gpu", "npu"):
        name = "openvino"
    if name != "auto":
        return _open_on_cpu(choose_backend(name), path, threads, options, engines)
    if precision == "bf16" or engines.device == "cpu":
        reason = "the CPU as asked" if engines.device == "cpu" else "bf16 is a CPU's precision"
        return _open_on_some_cpu(reason, path, threads, options, engines)
    missing = []
    for each in _GPU_ENTRIES:
        found = None
        try:
            found = choose_backend(each, engines.gpu)
            return _open_on_gpu(found, path, engines, options)
        except BackendError as error:
            missing.append(str(error))
            if found is not None:
                engines.notify(f"{each} is not used: {error}")
    return _open_on_some_cpu("; ".join(missing), path, threads, options, engines)


def _open_on_gpu(
    choice: Choice, path: Path, engines: EngineOptions, options: dict[str, Any]
) -> Backend:
    create = _load(_GPU_ENTRIES[choice.name].implementation)
    backend: Backend = create(path, options=engines, **options)
    backend.reason = choice.reason
    return backend


def _open_on_cpu(
    choice: Choice, path: Path, threads: int, options: dict[str, Any], engines: EngineOptions
) -> Backend:
    precision = options["precision"]
    on_device = choice.name == "openvino" and engines.device in ("gpu", "npu")
    if precision not in ("auto", *_CPU_PRECISIONS) and not (on_device and precision == "fp16"):
        raise BackendError(
            f"{choice.name} runs in {' or '.join(_CPU_PRECISIONS)} on a CPU, not {precision}; "
            f"{precision} is a GPU's ({choice.reason})"
        )
    if choice.name == "openvino":
        options = {**options, "device": engines.device, "cache": engines.cache}
    elif engines.device not in ("auto", "cpu"):
        raise BackendError(
            f"{choice.name} runs on the CPU; device {engines.device} is OpenVINO's: use the "
            "openvino backend"
        )
    entry, size = _ENTRIES[choice.name], read_card(path).input_size

    def load() -> Backend:
        backend: Backend = _load(entry.implementation)(path, threads=threads, **options)
        try:
            # A graph may be without end in the first inference, too.
            backend.infer(np.zeros((backend.batch_size, *size, 3), np.uint8))
        except Exception as error:
            backend.close()
            reason = in_brief(str(error))
            raise ModelFileError(f"{entry.title} cannot run {path}: {reason}") from error
        return backend

    try:
        backend = within(_LOADING_LIMIT, load, abandon=lambda late: late.close())
    except TimeoutError:
        raise ModelFileError(
            f"{entry.title} has not loaded {path} within {_LOADING_LIMIT:g} s: the file is "
            "damaged, or not made for a robot"
        ) from None
    reason = choice.reason
    if "device" in backend.details:  # measured here: the CPU, or a GPU of Intel
        reason = f"{reason.removesuffix(' on the CPU')} on {backend.details['device']}"
    backend.reason = "; ".join(filter(None, (reason, backend.reason)))
    return backend


def _open_on_some_cpu(
    reason: str, path: Path, threads: int, options: dict[str, Any], engines: EngineOptions
) -> Backend:
    """The fastest CPU backend that can run the file."""
    choice = _cpu_instead(reason)
    try:
        return _open_on_cpu(choice, path, threads, options, engines)
    except BackendError as error:
        for other in installed_backends():
            if other != choice.name and options["precision"] in ("auto", "fp32"):
                second = Choice(other, f"{error}: using {_ENTRIES[other].title}")
                return _open_on_cpu(second, path, threads, options, engines)
        raise


def _cpu_instead(reason: str) -> Choice:
    """The fastest CPU backend, for a reason."""
    installed = installed_backends()
    if not installed:
        raise BackendError(
            f"{reason}, and no CPU backend is installed: pip install openvino (or onnxruntime, "
            "where there is no openvino for this machine)"
        )
    return Choice(installed[0], f"{reason}: using {_ENTRIES[installed[0]].title} on the CPU")


def _load(name: str) -> Any:
    """What a `module:name` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _installed(entry: _Entry) -> bool:
    found = importlib.util.find_spec(entry.package)
    return found is not None and found.origin is not None  # not a folder of that name
