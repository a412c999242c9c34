"""What happened to a camera's frames."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

WINDOW = 100
"""Percentiles are over this many frames, the latest."""


@dataclass
class Counts:
    """Frames since the node was configured."""

    received: int = 0
    segmented: int = 0
    dropped: int = 0
    """Replaced in the mailbox by a newer frame."""
    bad: int = 0
    """No image, or an image that the model failed on."""
    unwatched: int = 0
    """Not segmented, since no output had a subscriber."""


class Statistics:
    """Counts and latencies of one camera; its methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        self._last_error = ""
        self._age_ms: deque[float] = deque(maxlen=WINDOW)
        self._inference_ms: deque[float] = deque(maxlen=WINDOW)

    def received(self, dropped: bool) -> None:
        """A frame has arrived; `dropped` if it replaced one that was waiting."""
        with self._lock:
            self._counts.received += 1
            self._counts.dropped += dropped

    def segmented(self, age_ms: float, inference_ms: float) -> None:
        """A frame's outputs are published, `age_ms` after its stamp."""
        with self._lock:
            self._counts.segmented += 1
            self._age_ms.append(age_ms)
            self._inference_ms.append(inference_ms)

    def bad(self, error: str) -> None:
        """A frame could not be segmented."""
        with self._lock:
            self._counts.bad += 1
            self._last_error = error

    def unwatched(self) -> None:
        """A frame was left alone, since nobody subscribes."""
        with self._lock:
            self._counts.unwatched += 1

    def summary(self) -> tuple[Counts, dict[str, str]]:
        """The counts, and everything as text for people."""
        with self._lock:
            counts = Counts(**vars(self._counts))
            age, inference = list(self._age_ms), list(self._inference_ms)
            last_error = self._last_error
        texts = {f"frames {name}": str(count) for name, count in vars(counts).items()}
        if age:
            p50, p95 = np.percentile(age, (50, 95))
            texts["stamp to output p50 (ms)"] = f"{p50:.1f}"
            texts["stamp to output p95 (ms)"] = f"{p95:.1f}"
            texts["stamp to output max (ms)"] = f"{max(age):.1f}"
            texts["inference p50 (ms)"] = f"{np.median(inference):.1f}"
        if last_error:
            texts["last error"] = last_error
        return counts, texts
