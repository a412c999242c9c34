"""The TensorRT that is installed: JetPack's, a desktop's, or TensorRT-RTX.

Their Python interface is one from 10.3 on. What differs between them is known in this file only.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from hyperseg_ros.runtime.backends.base import BackendError
from hyperseg_ros.runtime.backends.tensorrt.cuda import (
    Device,
    NoDeviceError,
    driver_cuda,
    find_device,
)
from hyperseg_ros.runtime.model_file import in_brief

OLDEST = (10, 3)
"""JetPack 6's: the first with everything that is used here."""
_MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
"""In the order of preference; the last is what TensorRT-RTX's bindings install without a frame."""
_RTX_CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (12, 0), (12, 1))
"""What TensorRT-RTX finishes engines for, unless its module lists others."""
_DRIVERS = {12: "r535", 13: "r580"}
"""The NVIDIA driver that the TensorRT for a major version of CUDA needs at least."""
_JETSON = Path("/etc/nv_tegra_release")

_ERRORS_KEPT = 20
_BUILD_MESSAGES_KEPT = 200
"""Messages; the list of layers is one of the last."""

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
    def capabilities(self) -> Sequence[tuple[int, int]]:
        """The compute capabilities of TensorRT-RTX; of TensorRT, the least."""
        if not self.is_rtx:
            return [(7, 0) if numbers(self.version) < (10, 5) else (7, 5)]
        listed = [
            (int(name[2:-1]), int(name[-1]))
            for name in dir(getattr(self.module, "ComputeCapability", None))
            if re.fullmatch(r"SM\d{2,3}", name)
        ]
        return sorted(listed) or _RTX_CAPABILITIES

    def create(self, kind: str, *arguments: Any) -> Any:
        """A `Builder`, `Runtime` or `OnnxParser`.

        Raises:
            BackendError: TensorRT does not start, as with a driver that is too old.
        """
        try:
            return getattr(self.module, kind)(*arguments)
        except TypeError as error:  # "factory function returned nullptr"
            raise BackendError(f"{self} does not start: {self._advice()}") from error

    def create_network(self, builder: Any) -> Any:
        """An empty network whose precision is the graph's; the batch is explicit since 10.0."""
        flag = self.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return builder.create_network(1 << int(flag))

    def check_device(self, device: Device) -> None:
        """Raise BackendError for a GPU that it does not support."""
        found, known = device.compute_capability, self.capabilities
        if found in known or (not self.is_rtx and found > min(known)):
            return
        if self.is_rtx and found > min(known):
            raise BackendError(
                f"{self} does not support the {device.name}, of compute capability "
                f"{_dotted(found)} (it supports {', '.join(map(_dotted, known))}): use TensorRT "
                "itself, or a CPU backend"
            )
        raise BackendError(
            f"{self} needs a GPU of compute capability {_dotted(min(known))}, and the "
            f"{device.name} has {_dotted(found)}: use a CPU backend, or an older TensorRT"
        )

    def _advice(self) -> str:
        """What to do about a TensorRT that gives no objects: it and the driver do not fit."""
        driver, own = driver_cuda(), built_for(self)
        if driver is None:
            return "it needs an NVIDIA driver, and there is none"
        needed = own or driver[0] + 1
        text = (
            f"it is built for CUDA {own or 'of a newer version'}, the driver for {_dotted(driver)}"
        )
        if _JETSON.exists():
            return f"{text}: pip uninstall tensorrt, and use JetPack's"
        return (
            f"{text}: install NVIDIA's driver {_DRIVERS.get(needed, 'of that version')} or newer, "
            f"or {_package(driver)} in place of this one"
        )


class Messages:
    """What TensorRT says, of which errors become exceptions and the rest goes to the log."""

    def __init__(self, library: Library) -> None:
        self.errors: deque[str] = deque(maxlen=_ERRORS_KEPT)
        self._building: deque[str] = deque(maxlen=_BUILD_MESSAGES_KEPT)
        severity = library.module.ILogger.Severity
        errors, building = self.errors, self._building

        class Logger(library.module.ILogger):  # type: ignore[name-defined]
            def log(self, level: Any, message: str) -> None:
                if level in (severity.INTERNAL_ERROR, severity.ERROR):
                    errors.append(message)
                building.append(message)
                _log.debug("%s", message)

        self.logger = Logger()

    def last_error(self) -> str:
        """The latest error, in one line."""
        return in_brief(self.errors[-1]) if self.errors else "it gives no reason"

    def build_log(self) -> str:
        """The last that was said of a build, which ends with the engine's layers."""
        return "\n".join(self._building)


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
            broken = broken or f"TensorRT does not import: {in_brief(str(error))}"
            continue
        if not hasattr(module, "__version__"):
            continue  # a folder of that name where Python is run
        is_rtx = "rtx" in name
        library = Library(module, "TensorRT-RTX" if is_rtx else "TensorRT", module.__version__)
        if not is_rtx and numbers(library.version) < OLDEST:
            raise BackendError(
                f"{library} is older than {_dotted(OLDEST)}: update it ({_install()})"
            )
        return library
    raise BackendError(broken or f"TensorRT is not installed ({_install()})")


def find_usable(gpu: int = 0) -> tuple[Library, Device]:
    """The TensorRT and the device to run engines with.

    Args:
        gpu: the device's number, as CUDA counts.

    Raises:
        BackendError: one of them is missing or they do not fit; says what was found.
    """
    library = find_library()
    try:
        device = find_device(gpu)
    except NoDeviceError as error:
        raise BackendError(f"{library} found, {error}") from None
    library.check_device(device)
    return library, device


def describe_usable(gpu: int = 0) -> str:
    """`find_usable`, in words."""
    library, device = find_usable(gpu)
    return f"{library} on the {device.name}"


def _install() -> str:
    """How to get TensorRT on this machine."""
    if _JETSON.exists():
        return "JetPack has it: sudo apt install python3-libnvinfer"
    driver = driver_cuda()
    return f"pip install {'tensorrt' if driver is None else _package(driver)}"


def _package(driver: tuple[int, int]) -> str:
    """The package of TensorRT for a driver's CUDA."""
    return "tensorrt" if driver[0] >= max(_DRIVERS) else f"tensorrt-cu{driver[0]}"


def built_for(library: Library) -> int | None:
    """The major version of CUDA that a TensorRT from pip is built for; None where pip has none."""
    stem = "tensorrt_rtx" if library.is_rtx else "tensorrt"
    for version in sorted(_DRIVERS, reverse=True):
        for part in ("libs", "bindings"):
            with contextlib.suppress(metadata.PackageNotFoundError):
                metadata.version(f"{stem}_cu{version}_{part}")
                return version
    return None


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
