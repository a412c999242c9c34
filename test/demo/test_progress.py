from __future__ import annotations

import contextlib
import io
import os
import pty
import struct
import termios
from fcntl import ioctl

import pytest

from hyperseg_ros.demo import progress
from hyperseg_ros.demo.progress import Progress


def on_terminal(columns: int, total: int) -> str:
    """What a terminal of that width shows of two updates."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        shown = Progress(total, stream)
        shown.update(1, "mIoU 50.0%")
        shown.update(3, "mIoU 60.0%")
        shown.close()
    text = b""
    with contextlib.suppress(OSError):  # EIO is the end of what was written
        while read := os.read(ours, 4096):
            text += read
    os.close(ours)
    return text.decode()


def test_a_terminal_shows_a_bar() -> None:
    text = on_terminal(columns=100, total=4)
    assert "3/4" in text
    assert "mIoU 60.0%" in text
    assert "75%" in text


def test_without_a_known_end_frames_are_counted() -> None:
    assert "3 frames" in on_terminal(columns=100, total=0)


def test_elsewhere_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    stream = io.StringIO()
    shown = Progress(40, stream)
    for done in range(1, 41):
        now += 0.3
        shown.update(done, f"note {done}")
    shown.close()
    assert stream.getvalue().splitlines() == [
        "frame 17 of 40: note 17",
        "frame 34 of 40: note 34",
    ]


def test_a_terminal_without_width_gets_lines_too() -> None:
    assert on_terminal(columns=0, total=4) == ""
