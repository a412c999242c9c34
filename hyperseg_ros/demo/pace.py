"""The pace of a drive that waits for its labels."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median

PATIENCE = 2.0
"""Seconds after which labels that have not come are given up."""
USUAL = 2.0
"""Times the usual latency after which labels are late. DDS may have lost them, and finds that out
with the next ones at the earliest."""
LEAST = 0.1
"""Seconds within which no labels are late."""


class Pace:
    """Says when the next frame may be published so that none is dropped.

    The node's mailbox has room for one frame beside the one at work: while labels are late, one
    more frame is published.

    Args:
        clock: seconds that go on evenly.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[int, float] = {}
        self._latencies: deque[float] = deque(maxlen=20)

    def published(self, stamp: int) -> None:
        """A frame is on its way."""
        self._waiting[stamp] = self._clock()

    def answered(self, stamp: int) -> None:
        """Its labels have come; those of frames before it are not waited for any more."""
        since = self._waiting.get(stamp)
        if since is not None:
            self._latencies.append(self._clock() - since)
        self._waiting = {later: at for later, at in self._waiting.items() if later > stamp}

    def may_go_on(self) -> bool:
        """Whether the next frame may be published."""
        now = self._clock()
        self._waiting = {
            stamp: since for stamp, since in self._waiting.items() if now - since < PATIENCE
        }
        if not self._waiting:
            return True
        if len(self._waiting) > 1 or not self._latencies:
            return False
        (since,) = self._waiting.values()
        return now - since > max(LEAST, USUAL * median(self._latencies))
