"""The `max_rate` of a camera: which of its frames are let through."""

from __future__ import annotations


class RateLimiter:
    """Lets through as many events as a rate allows.

    The average is kept however the events fall: one that comes a little late does not delay those
    after it.
    """

    def __init__(self) -> None:
        self._rate = 0.0
        self._due = self._last = -float("inf")

    def admits(self, now: float, rate: float) -> bool:
        """Whether an event at the time `now`, in seconds, is one of `rate` a second.

        A rate that differs from the last call's counts from the last event that was let through.
        """
        period = 1.0 / rate
        if rate != self._rate:
            self._rate = rate
            self._due = self._last + period
        if now < self._due:
            return False
        self._last = now
        self._due += period
        if self._due <= now:  # the first one, or the first after a pause
            self._due = now + period
        return True
