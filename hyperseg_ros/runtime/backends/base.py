"""What every backend offers, and what it may refuse."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class BackendError(ValueError):
    """A backend that is not known, not installed, or cannot run as asked; says what to do."""


class InferenceError(RuntimeError):
    """A batch that got no result; the backend has recovered, and the next may be good."""


class BackendLostError(RuntimeError):
    """A backend that cannot go on, and whose every further call fails; it must be opened again."""


class DeviceLostError(BackendLostError):
    """A device that is lost to this process: only another process can use it again."""


_log = logging.getLogger("hyperseg_ros")
DEVICES = ("auto", "cpu", "gpu", "npu")
"""What a backend may be told to run on."""


@dataclass(frozen=True)
class EngineOptions:
    """How engines are built and kept, by backends that compile the model for the device."""

    cache: Path | None = None
    """Folder of the engines; None for `$XDG_CACHE_HOME/hyperseg_ros`."""
    workspace: int = 1 << 30
    """Bytes of scratch memory that a layer may ask for."""
    gpu: int = 0
    """The device's number, as CUDA counts."""
    device: str = "auto"
    """OpenVINO's device, one of `DEVICES`; without OpenVINO, whether a GPU may be used."""
    notify: Callable[[str], None] = _log.warning
    """Told, in a sentence, what happens and takes time or needs attention."""


DEFAULT_ENGINES = EngineOptions()
"""In the user's cache, with a GiB of scratch, told through Python's logging."""


class Backend(Protocol):
    """A model loaded on a device, for one size of batch.

    Calls are not thread-safe: the owner of a backend serialises them.
    """

    name: str
    """The name it is chosen by, such as `openvino`."""
    device: str
    """The hardware it runs on, as its maker calls it."""
    precision: str
    """The arithmetic it runs in, such as `fp32`."""
    batch_size: int
    """Images that `infer` takes, no more and no fewer."""
    reason: str
    """Why this backend and this precision, a sentence; empty if there was no choice.

    A backend says the latter, `open_backend` puts the former before it.
    """
    details: dict[str, str]
    """Further facts for people, by name, such as where the engine is cached."""

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Labels and confidence of a batch.

        Args:
            images: BGR at the model's input size, uint8 [batch_size, H, W, 3], C-contiguous; they
                may be read-only.

        Returns:
            labels: class ids, uint8 [N, H, W].
            confidence: probability of the label x 255, uint8 [N, H, W].
            Both belong to the caller; a later call leaves them alone.

        Raises:
            InferenceError: this batch failed; a later one may not.
            BackendLostError: no later one will work either.
        """
        ...

    def close(self) -> None:
        """Free the model; the backend cannot be used afterwards."""
        ...
