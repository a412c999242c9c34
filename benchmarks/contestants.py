"""Contestants, each in a process of its own, measured in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PAUSE_S = 0.1
"""Before a frame: the threads of whoever was last spin a while before they sleep."""
_WORKER = Path(__file__).with_name("worker.py")

TUNED = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
"""The environment in which glibc keeps freed memory: half of PyTorch's time here is page faults."""


@dataclass(frozen=True)
class Entry:
    """Who competes: a name for the table, what `worker.py` needs, and its environment."""

    name: str
    spec: dict[str, Any]
    environment: dict[str, str]


class Contestant:
    """A running worker, warmed up. Closing ends its process.

    Raises:
        RuntimeError: it ended before it was ready; its errors are on the standard error.
    """

    def __init__(self, entry: Entry) -> None:
        self.name = entry.name
        self._process = subprocess.Popen(
            [sys.executable, str(_WORKER), json.dumps(entry.spec)],
            env={**os.environ, **entry.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        # Libraries may greet on the standard output first.
        if not any(line.startswith("READY") for line in iter(self._process.stdout.readline, "")):
            raise RuntimeError(f"{self.name} ended before it ran a frame")

    def run(self) -> float:
        """Milliseconds of one frame."""
        time.sleep(_PAUSE_S)
        return float(self._ask("run")) * 1e3

    def labels(self, scratch: Path) -> NDArray[np.uint8]:
        """What it gave for the last frame, uint8 [H, W]."""
        file = scratch / "labels.npy"
        self._ask(f"save {file}")
        return np.asarray(np.load(file), np.uint8)

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def __enter__(self) -> Contestant:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
