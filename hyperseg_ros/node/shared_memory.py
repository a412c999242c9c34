"""Shared memory that Fast DDS could not free, since the process that had it was killed."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

FOLDER = Path("/dev/shm")
LOCK = "_el"
"""The end of the name of the file that a process keeps locked as long as it lives."""
PREFIXES = ("fastrtps_", "fastdds_")
"""Of the names of its files: before Kilted, and since."""
JUST_MADE = 10.0
"""Seconds in which a process may not have locked its file yet."""
WORTH_TELLING = 5e6
"""Bytes."""


def left_behind(folder: Path = FOLDER) -> int:
    """Bytes of shared memory whose process is dead."""
    return sum(
        _size(lock.with_name(lock.name.removesuffix(LOCK)))
        for prefix in PREFIXES
        for lock in folder.glob(f"{prefix}*{LOCK}")
        if _is_of_the_dead(lock)
    )


def advice(folder: Path = FOLDER) -> str:
    """What to do about shared memory that is left behind; empty where there is little of it."""
    size = left_behind(folder)
    if size < WORTH_TELLING or os.environ.get("FASTDDS_BUILTIN_TRANSPORTS") == "UDPv4":
        return ""
    return (
        f"{size / 1e6:.0f} MB in {folder} are left over from processes that were killed: "
        "`fastdds shm clean` frees them; end processes with SIGINT or SIGTERM"
    )


def _is_of_the_dead(lock: Path) -> bool:
    try:
        if time.time() - lock.stat().st_mtime < JUST_MADE:
            return False
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # it is locked, another user's, or gone
        return False
    return True


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
