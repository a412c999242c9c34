"""The one thread that runs the network, and the round-robin order of those that it serves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

INFERENCE_THREAD = "inference"
"""The name of the thread."""
YIELD = 0.0001
"""Seconds in which a waiting thread wakes up and takes the interpreter."""

Item = TypeVar("Item")


class RoundRobin(Generic[Item]):
    """A round-robin scheduler: items of several sources, done in a thread of its own.

    A source that was served goes to the end of the queue, so a busy source starves no other.

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
        self._queue = list(sources)
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
        """Says that a source has an item, and lets the thread run at once if it is idle."""
        self._wake.set()
        if self._begun is None:
            # The thread wakes up, but cannot run before the caller releases the interpreter.
            time.sleep(YIELD)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def busy_for(self) -> float:
        """Seconds since the current items were begun, reading included; 0 while idle."""
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
            raise TimeoutError(f"a frame has not been finished for {self.busy_for:.1f} s")

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            while not self._stopping:
                self._begun = time.monotonic()
                items = self._take()
                if not items:
                    break
                self._work(items)
            self._begun = None

    def _take(self) -> list[Item]:
        """The next items, at most one of each source."""
        items: list[Item] = []
        for source in tuple(self._queue):
            if self._stopping:
                return []
            item = source()
            if item is not None:
                self._queue.remove(source)
                self._queue.append(source)
                items.append(item)
                if len(items) == self._batch_size:
                    break
        return items
