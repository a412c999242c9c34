"""Work in a library that may never come back, given up after a time."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")
_given_up: list[threading.Thread] = []
_FAILURE = 2


class _Work(Generic[Result]):
    def __init__(self, work: Callable[[], Result], abandon: Callable[[Result], None]) -> None:
        self._work, self._abandon = work, abandon
        self._lock = threading.Lock()
        self._is_abandoned = False
        self.result: list[Result] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            result = self._work()
        except BaseException as error:
            self.error = error
            return
        with self._lock:
            if not self._is_abandoned:
                self.result.append(result)
                return
        self._abandon(result)

    def give_up(self) -> bool:
        """Whether there is no result, and will be none."""
        with self._lock:
            self._is_abandoned = not self.result and self.error is None
            return self._is_abandoned


def within(seconds: float, work: Callable[[], Result], abandon: Callable[[Result], None]) -> Result:
    """The result of work that runs in a thread of its own.

    A thread cannot be ended from outside. One that does not come back goes on until the process
    ends, but keeps nobody waiting; the exit status is 2 then.

    Args:
        seconds: how long to wait.
        work: what to do.
        abandon: what to do with a result that comes after all, when nobody waits for it.

    Raises:
        TimeoutError: it has not come back in time.
        BaseException: what `work` raises.
    """
    task = _Work(work, abandon)
    thread = threading.Thread(target=task.run, name="loading", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive() and task.give_up():
        _given_up.append(thread)
        raise TimeoutError(f"it has not come back within {seconds:g} s")
    if task.error is not None:
        raise task.error
    return task.result[0]


@atexit.register
def _leave_threads_behind() -> None:
    """Ends the process at once if a thread is still in a library, which would abort it instead."""
    if any(thread.is_alive() for thread in _given_up):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_FAILURE)
