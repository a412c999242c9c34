"""How far TensorRT has come with building, and how long it will take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

_ESTIMATE_FROM = 0.05
"""The share of the work from which what it took says what the rest will take."""


@dataclass(frozen=True)
class Progress:
    """A moment of a build."""

    share: float
    """Of the work, 0 to 1; it never falls."""
    elapsed: float
    """Seconds."""
    remaining: float | None
    """Seconds, an estimate; None while it is too early for one."""

    def __str__(self) -> str:
        text = f"{self.share:.0%} after {self.elapsed:.0f} s"
        return text if self.remaining is None else f"{text}, about {self.remaining:.0f} s to go"


Report = Callable[[Progress], None]


class PhaseTree:
    """Turns nested phases of steps into one share of the whole; thread-safe.

    A phase inside another is a part of the step that the outer one is at.
    """

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._begin = clock()
        self._lock = threading.Lock()
        self._phases: dict[str, _Phase] = {}
        self._share = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins."""
        with self._lock:
            self._phases[name] = _Phase(parent, max(steps, 1))

    def step(self, name: str, step: int) -> None:
        """A phase is through with a step, counted from 0."""
        with self._lock:
            if name in self._phases:
                self._phases[name].done = step + 1
                self._advance(name)

    def finish(self, name: str) -> None:
        """A phase is over."""
        with self._lock:
            if name in self._phases:
                self._phases[name].done = self._phases[name].steps
                self._advance(name)
                del self._phases[name]

    def _advance(self, name: str) -> None:
        share, seen = 0.0, set()
        current: str | None = name
        while current in self._phases and current not in seen:
            seen.add(current)
            phase = self._phases[current]
            share = min((phase.done + share) / phase.steps, 1.0)
            current = phase.parent
        # Phases come and go at TensorRT's pleasure; what is reported only grows.
        self._share = max(self._share, share)
        elapsed = self._clock() - self._begin
        known = self._share >= _ESTIMATE_FROM
        remaining = elapsed * (1 - self._share) / self._share if known else None
        self._report(Progress(self._share, elapsed, remaining))


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


def monitor(trt: ModuleType, report: Report) -> Any:
    """A progress monitor for a TensorRT module's builder configuration."""
    tree = PhaseTree(report)

    class Monitor(trt.IProgressMonitor):  # type: ignore[name-defined]
        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            tree.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            tree.step(phase_name, step)
            return True  # go on

        def phase_finish(self, phase_name: str) -> None:
            tree.finish(phase_name)

    return Monitor()
