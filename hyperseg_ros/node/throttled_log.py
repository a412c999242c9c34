"""Throttled log lines about troubles that recur with every image."""

from __future__ import annotations

import time
from typing import Any

LOG_PERIOD = 5.0
"""Seconds between two log lines about the same trouble."""


class ThrottledLog:
    """Writes a line about each trouble at most once in a period.

    Args:
        logger: of rclpy.
    """

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._last: dict[str, float] = {}

    def warning(self, trouble: str, text: str, period: float = LOG_PERIOD) -> None:
        """Writes a warning.

        Args:
            trouble: key of the trouble.
            text: the line.
            period: seconds until the next line about it.
        """
        if self._is_due(trouble, period):
            self._logger.warning(text)

    def error(self, trouble: str, text: str, period: float = LOG_PERIOD) -> None:
        """Writes an error; see `warning`."""
        if self._is_due(trouble, period):
            self._logger.error(text)

    def _is_due(self, trouble: str, period: float) -> bool:
        now = time.monotonic()
        due = now - self._last.get(trouble, -period) >= period
        if due:
            self._last[trouble] = now
        return due
