"""The most memory that a process has taken."""

from __future__ import annotations

import re
from pathlib import Path


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, MB, Python and libraries included.

    Not by getrusage, whose maximum survives exec: a child would report its parent's.
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else float("nan")
