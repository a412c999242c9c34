"""The one thread that runs the network, and whose turn it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

STOP_TIMEOUT = 5.0
"""Seconds that the item at work may take to finish when the thread is stopped."""


class TurnTaker:
    """Serves several sources in turn, in a thread of its own.

    Each round gives every source one item of work, so none starves however much another has.

    Args:
        serve: one function a source: does one item of work, and says whether there was one.
    """

    def __init__(self, serve: Sequence[Callable[[], bool]]) -> None:
        self._serve = serve
        self._work = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def notify(self) -> None:
        """Says that a source has work."""
        self._work.set()

    def stop(self) -> None:
        """Lets the item at work finish and ends the thread.

        Raises:
            TimeoutError: it does not finish; the thread still runs.
        """
        self._stopping = True
        self._work.set()
        self._thread.join(STOP_TIMEOUT)
        if self._thread.is_alive():
            raise TimeoutError(f"the network did not finish a frame in {STOP_TIMEOUT:g} s")

    def _run(self) -> None:
        while not self._stopping:
            self._work.wait()
            self._work.clear()
            while self._round():
                pass

    def _round(self) -> bool:
        busy = False
        for serve in self._serve:
            if self._stopping:
                return False
            busy |= serve()
        return busy
