"""The one thread that runs the network, and whose turn it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

INFERENCE_THREAD = "inference"
"""The name of the thread."""
STAND_ASIDE = 0.0001
"""Seconds in which a thread wakes and takes its first steps in Python."""

Item = TypeVar("Item")


class TurnTaker(Generic[Item]):
    """Takes items of work from several sources in turn, and does them in a thread of its own.

    A source that has been served is last in line, so none starves however much another has.

    Args:
        sources: each gives its next item, or None if it has none.
        work: does one item of each of several sources at a time, and raises nothing.
        batch_size: the most items that `work` may be given.
    """

    def __init__(
        self,
        sources: Sequence[Callable[[], Item | None]],
        work: Callable[[list[Item]], None],
        batch_size: int = 1,
    ) -> None:
        self._line = list(sources)
        self._work = work
        self._batch_size = batch_size
        self._wake = threading.Event()
        self._stopping = False
        self._begun: float | None = None
        self._thread = threading.Thread(target=self._run, name=INFERENCE_THREAD, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def notify(self) -> None:
        """Says that a source has an item, and stands aside for the thread if that is idle."""
        self._wake.set()
        if self._begun is None:
            # A thread that wakes has to wait for the interpreter until the caller lets go of it.
            time.sleep(STAND_ASIDE)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def busy_for(self) -> float:
        """Seconds since the work at hand was begun; 0 if there is none."""
        begun = self._begun
        return 0.0 if begun is None else time.monotonic() - begun

    def stop(self, timeout: float) -> None:
        """Lets the work at hand finish and ends the thread.

        Raises:
            TimeoutError: it has not finished in `timeout` seconds; the thread still runs.
        """
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"the network did not finish a frame in {self.busy_for:.1f} s")

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            while items := self._take():
                self._begun = time.monotonic()
                self._work(items)
                self._begun = None

    def _take(self) -> list[Item]:
        """The next items, at most one of each source."""
        items: list[Item] = []
        for source in tuple(self._line):
            if self._stopping:
                return []
            item = source()
            if item is not None:
                self._line.remove(source)
                self._line.append(source)
                items.append(item)
                if len(items) == self._batch_size:
                    break
        return items


class RateLimiter:
    """Lets through as many events as a rate allows.

    The average is kept however the events fall: one that comes a little late does not delay those
    after it.
    """

    def __init__(self) -> None:
        self._due = -float("inf")

    def admits(self, now: float, rate: float) -> bool:
        """Whether an event at the time `now`, in seconds, is one of `rate` a second."""
        if now < self._due:
            return False
        period = 1.0 / rate
        self._due += period
        if self._due <= now:  # the first one, or the first after a pause
            self._due = now + period
        return True
