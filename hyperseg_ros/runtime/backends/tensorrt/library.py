"""The TensorRT that is installed: JetPack's, a desktop's, or TensorRT-RTX.

Their Python interface is one from 10.3 on. What differs between them is known in this file only.
"""

from __future__ import annotations

import importlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from hyperseg_ros.runtime.backends.base import BackendError
from hyperseg_ros.runtime.backends.tensorrt.cuda import Device, NoDeviceError, find_device

OLDEST = (10, 3)
"""JetPack 6's: the first with everything that is used here."""
_MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
"""In the order of preference; the last is what TensorRT-RTX's bindings install without a frame."""
_INSTALL = "JetPack brings TensorRT; elsewhere: pip install tensorrt"

_ERRORS_KEPT = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Library:
    """A TensorRT."""

    module: ModuleType
    name: str
    """`TensorRT` or `TensorRT-RTX`."""
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def is_rtx(self) -> bool:
        """Whether its engines are finished on the device, and so can be built without one."""
        return self.name == "TensorRT-RTX"

    @property
    def oldest_device(self) -> tuple[int, int]:
        """The least compute capability it supports."""
        before_10_5 = not self.is_rtx and numbers(self.version) < (10, 5)
        return (7, 0) if before_10_5 else (7, 5)

    def create_network(self, builder: Any) -> Any:
        """An empty network whose precision is the graph's; the batch is explicit since 10.0."""
        flag = self.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return builder.create_network(1 << int(flag))

    def target(self, config: Any, compute_capabilities: Sequence[tuple[int, int]]) -> None:
        """Build for other GPUs than the one at hand, which only TensorRT-RTX can.

        Raises:
            BackendError: a GPU that it has no code for, or a TensorRT that builds only at home.
        """
        if not compute_capabilities:
            return
        names = ["SM{}{}".format(*capability) for capability in compute_capabilities]
        known = getattr(self.module, "ComputeCapability", None)
        for name in names:
            if not hasattr(known, name):
                raise BackendError(f"{self} cannot build for {name}; build on the machine itself")
        config.num_compute_capabilities = len(names)
        for index, name in enumerate(names):
            config.set_compute_capability(getattr(known, name), index)

    def check_device(self, device: Device) -> None:
        """Raise BackendError for a GPU that is too old."""
        if device.compute_capability < self.oldest_device:
            raise BackendError(
                f"{self} needs a GPU of compute capability {_dotted(self.oldest_device)}, and the "
                f"{device.name} has {_dotted(device.compute_capability)}: use a CPU backend, or "
                "an older TensorRT"
            )


class Messages:
    """What TensorRT says, of which errors become exceptions and the rest goes to the log."""

    def __init__(self, library: Library) -> None:
        self.errors: deque[str] = deque(maxlen=_ERRORS_KEPT)
        severity = library.module.ILogger.Severity
        errors = self.errors

        class Logger(library.module.ILogger):  # type: ignore[name-defined]
            def log(self, level: Any, message: str) -> None:
                if level in (severity.INTERNAL_ERROR, severity.ERROR):
                    errors.append(message)
                _log.debug("%s", message)

        self.logger = Logger()

    def last_error(self) -> str:
        """The latest error, in one line."""
        return " ".join(self.errors[-1].split()) if self.errors else "it gives no reason"


def find_library() -> Library:
    """The TensorRT that is installed.

    Raises:
        BackendError: there is none, it does not import, or it is too old.
    """
    broken: str | None = None
    for name in _MODULES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                broken = broken or f"TensorRT does not import: {error}"
            continue
        except Exception as error:  # a library that it needs is missing or does not fit
            broken = broken or f"TensorRT does not import: {' '.join(str(error).split())}"
            continue
        is_rtx = "rtx" in name
        library = Library(module, "TensorRT-RTX" if is_rtx else "TensorRT", module.__version__)
        if not is_rtx and numbers(library.version) < OLDEST:
            raise BackendError(f"{library} is older than {_dotted(OLDEST)}: update it ({_INSTALL})")
        return library
    raise BackendError(broken or f"TensorRT is not installed ({_INSTALL})")


def find_usable() -> tuple[Library, Device]:
    """The TensorRT and the device to run engines with.

    Raises:
        BackendError: one of them is missing or they do not fit; says what was found.
    """
    library = find_library()
    try:
        device = find_device()
    except NoDeviceError as error:
        raise BackendError(f"{library} found, {error}") from None
    library.check_device(device)
    return library, device


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: `10.3.0.26` to (10, 3, 0, 26)."""
    parts: list[int] = []
    for part in version.split("."):
        if not part.isdecimal():
            break
        parts.append(int(part))
    return tuple(parts)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
