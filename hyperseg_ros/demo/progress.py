"""Progress of a drive: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from tqdm import tqdm

LINE_PERIOD = 5.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """Shows how many frames of a drive have passed.

    Args:
        total: frames there will be; 0 where nobody knows.
        stream: where it is shown.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._total = total
        self._bar = None
        if _columns(self._stream):
            self._bar = tqdm(
                total=total or None, unit=" frames", file=self._stream, dynamic_ncols=True
            )
        self._line_due = time.monotonic() + LINE_PERIOD

    def update(self, done: int, note: str) -> None:
        """Show that `done` frames have passed, and a few words."""
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._bar.n)
        elif time.monotonic() >= self._line_due:
            self._line_due += LINE_PERIOD
            total = f" of {self._total}" if self._total else ""
            print(f"frame {done}{total}: {note}", file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the bar as it is and go to the next line."""
        if self._bar is not None:
            self._bar.close()


def _columns(stream: TextIO) -> int:
    """Width of the terminal that `stream` goes to; 0 where it goes elsewhere."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0
