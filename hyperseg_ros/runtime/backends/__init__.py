"""Backends: what runs a model file. All share the interface `Backend`; one is chosen by name."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from hyperseg_ros.runtime.backends.base import Backend, BackendError

__all__ = [
    "BACKENDS",
    "PRECISIONS",
    "Backend",
    "BackendError",
    "choose_backend",
    "create_backend",
    "installed_backends",
]


@dataclass(frozen=True)
class _Entry:
    package: str
    """The package that must be installed."""
    implementation: str
    """`module:class`, imported only when the backend is used."""


_HERE = "hyperseg_ros.runtime.backends"
# Fastest first: `auto` takes the first one installed.
_ENTRIES = {
    "openvino": _Entry("openvino", f"{_HERE}.openvino:OpenVinoBackend"),
    "onnxruntime": _Entry("onnxruntime", f"{_HERE}.onnxruntime:OnnxRuntimeBackend"),
}

BACKENDS = ("auto", *_ENTRIES)
"""The names `create_backend` knows."""
PRECISIONS = ("auto", "fp32", "bf16")
"""The precisions a backend may be asked for; `auto` is the fastest native to the hardware."""

_MAX_THREADS = 256


def installed_backends() -> list[str]:
    """The names of the backends whose package is installed, fastest first."""
    return [name for name, entry in _ENTRIES.items() if _installed(entry)]


def choose_backend(name: str) -> str:
    """The backend that `name` stands for: itself, or for `auto` the fastest installed.

    Raises:
        BackendError: `name` is not one of `BACKENDS`, or what it needs is not installed.
    """
    if name == "auto":
        installed = installed_backends()
        if not installed:
            raise BackendError(
                "no backend is installed: pip install openvino (or onnxruntime, where there is "
                "no openvino for this machine)"
            )
        return installed[0]
    if name == "tensorrt":
        raise BackendError(
            f"this version has no tensorrt backend yet; use one of {', '.join(BACKENDS)}"
        )
    if name not in _ENTRIES:
        nearest = difflib.get_close_matches(name, BACKENDS, n=1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise BackendError(f"no backend {name!r}: {hint}The backends are {', '.join(BACKENDS)}")
    if not _installed(_ENTRIES[name]):
        raise BackendError(
            f"the {name} backend needs a package that is not installed: "
            f"pip install {_ENTRIES[name].package}"
        )
    return name


def create_backend(
    name: str,
    path: Path,
    *,
    threads: int = 0,
    precision: str = "auto",
    batch_size: int = 1,
) -> Backend:
    """Load a model file, already checked by `read_card`, on a backend.

    Args:
        name: one of `BACKENDS`.
        path: the model file.
        threads: CPU threads, 0 for the backend's own choice.
        precision: one of `PRECISIONS`.
        batch_size: images per call.

    Raises:
        BackendError: the backend is not known, not installed, or cannot run as asked.
        ModelFileError: the backend cannot load the file.
    """
    if not 0 <= threads <= _MAX_THREADS:
        raise BackendError(
            f"threads must be 0 (the backend's own choice) to {_MAX_THREADS}, not {threads}"
        )
    if precision not in PRECISIONS:
        raise BackendError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    module, _, backend = _ENTRIES[choose_backend(name)].implementation.partition(":")
    implementation = getattr(importlib.import_module(module), backend)
    created: Backend = implementation(
        path, threads=threads, precision=precision, batch_size=batch_size
    )
    return created


def _installed(entry: _Entry) -> bool:
    return importlib.util.find_spec(entry.package) is not None
