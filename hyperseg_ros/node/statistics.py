"""What happened to a camera's frames."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

WINDOW = 10.0
"""Seconds that rates and percentiles are computed over."""


@dataclass(frozen=True)
class Counts:
    """Frames since the node was configured."""

    received: int = 0
    segmented: int = 0
    dropped: int = 0
    """Too old: replaced in the mailbox by a newer frame."""
    skipped: int = 0
    """Too new: sooner after the last one than `max_rate` allows."""
    bad: int = 0
    """Not an image, or an image that the model failed on."""
    unwatched: int = 0
    """Not segmented, since no output had a subscriber."""
    lost: int = 0
    """Sent by the camera but lost by the middleware, as far as it says so."""
    without_free_space: int = 0
    """Segmented, but without calibration or pose for the free space that was asked for."""
    without_points: int = 0
    """Segmented, but without depth in time for the points that were asked for."""


@dataclass(frozen=True)
class Summary:
    """How a camera fares."""

    counts: Counts
    input_rate: float
    """Frames a second, over the window."""
    output_rate: float
    silence: float
    """Seconds since the last frame, or since frames are expected."""
    age_ms: tuple[float, float, float] | None
    """From stamp to output, over the window: median, 95th percentile and maximum."""
    inference_ms: float | None
    """The median over the window."""
    last_error: str


class Statistics:
    """Counts, rates and latencies of one camera; its methods may be called from any thread.

    Args:
        clock: seconds that go on evenly.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts = Counts()
        self._last_error = ""
        self._began = self._last_frame = clock()
        self._arrivals: deque[float] = deque()
        self._outputs: deque[tuple[float, float | None, float]] = deque()

    def subscribed(self) -> None:
        """From now on frames are expected."""
        with self._lock:
            self._last_frame = self._clock()

    def received(self) -> None:
        """A frame has arrived."""
        with self._lock:
            self._count("received")
            self._last_frame = self._clock()
            self._arrivals.append(self._last_frame)
            self._forget()

    def dropped(self) -> None:
        """A frame was replaced by a newer one while it waited."""
        with self._lock:
            self._count("dropped")

    def skipped(self) -> None:
        """A frame came too soon after the one before."""
        with self._lock:
            self._count("skipped")

    def segmented(self, age_ms: float | None, inference_ms: float) -> None:
        """A frame's outputs are published, `age_ms` after its stamp, if that is known."""
        with self._lock:
            self._count("segmented")
            self._outputs.append((self._clock(), age_ms, inference_ms))
            self._forget()

    def bad(self, error: str) -> None:
        """A frame could not be segmented."""
        with self._lock:
            self._count("bad")
            self._last_error = error

    def unwatched(self) -> None:
        """A frame was left alone, since nobody subscribes."""
        with self._lock:
            self._count("unwatched")

    def forget_ages(self) -> None:
        """The clock of the stamps has jumped: ages from before it mean nothing."""
        with self._lock:
            self._outputs = deque((at, None, ms) for at, _, ms in self._outputs)

    def lost(self, count: int) -> None:
        """The middleware has lost frames."""
        with self._lock:
            self._count("lost", count)

    def without(self, output: str) -> None:
        """A frame has no `free_space`, or no `points`, though somebody subscribes."""
        with self._lock:
            self._count(f"without_{output}")

    def summary(self) -> Summary:
        """How the camera fares now."""
        with self._lock:
            now = self._clock()
            self._forget()
            span = max(min(WINDOW, now - self._began), 1e-3)
            ages = [age for _, age, _ in self._outputs if age is not None]
            inference = [ms for _, _, ms in self._outputs]
            return Summary(
                counts=self._counts,
                input_rate=len(self._arrivals) / span,
                output_rate=len(self._outputs) / span,
                silence=now - self._last_frame,
                age_ms=_spread(ages) if ages else None,
                inference_ms=float(np.median(inference)) if inference else None,
                last_error=self._last_error,
            )

    def _count(self, name: str, count: int = 1) -> None:
        self._counts = replace(self._counts, **{name: getattr(self._counts, name) + count})

    def _forget(self) -> None:
        """Drops what is older than the window."""
        oldest = self._clock() - WINDOW
        while self._arrivals and self._arrivals[0] < oldest:
            self._arrivals.popleft()
        while self._outputs and self._outputs[0][0] < oldest:
            self._outputs.popleft()


def _spread(values: list[float]) -> tuple[float, float, float]:
    median, p95 = np.percentile(values, (50, 95))
    return float(median), float(p95), max(values)
