"""Bounds on the models that OpenVINO has compiled and keeps."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

LARGEST = 512 << 20
"""Bytes that compiled models may take; one of a shipped model takes 20 to 60 MB."""


def prune(folder: Path, largest: int = LARGEST) -> None:
    """Drop the least recently used until the rest fits; the last used one always stays.

    Args:
        folder: of compiled models. Others may write to it at the same time, and what cannot be
            dropped stays.
        largest: bytes.
    """
    found = []
    for file in folder.glob("*.blob"):
        with contextlib.suppress(OSError):  # another process was faster
            found.append((_last_used(file.stat()), file.stat().st_size, file))
    found.sort(reverse=True)
    total = 0
    for number, (_, size, file) in enumerate(found):
        total += size
        if number and total > largest:
            with contextlib.suppress(OSError):
                file.unlink()


def _last_used(status: os.stat_result) -> float:
    """Seconds since the epoch; a file system that notes no access tells when it was written."""
    return max(status.st_atime, status.st_mtime)
