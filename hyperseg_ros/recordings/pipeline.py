"""Threads before and after a loop, so that reading and writing go on beside its work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")

DEPTH = 4
"""Items that may wait on either side."""


def ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The items, made in a thread of their own a few in advance; an error comes in its turn.

    The thread goes on until all are taken or the generator is closed.
    """
    made: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(DEPTH)
    stopping = threading.Event()

    def put(item: Item | None, error: BaseException | None) -> bool:
        while not stopping.is_set():
            try:
                made.put((item, error), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item, None):
                    return
        except BaseException as error:
            put(None, error)
        else:
            put(None, StopIteration())

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stopping.set()
        thread.join()


class Behind(Generic[Item]):
    """Does the last step of each item in a thread of its own. Use as a context manager.

    An error in it is raised by the next `put`, or at the end of the block.

    Args:
        work: the step.
    """

    def __init__(self, work: Callable[[Item], None]) -> None:
        self._work = work
        self._waiting: queue.Queue[Item | None] = queue.Queue(DEPTH)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="behind", daemon=True)

    def put(self, item: Item) -> None:
        """Hands an item over; waits while too many wait."""
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._work(item)
                except BaseException as error:
                    self._error = error

    def __enter__(self) -> Behind[Item]:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waiting.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error
