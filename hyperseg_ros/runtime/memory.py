"""The memory that images come and go in."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_EVERYWHERE = 32 * 1024 * 1024
"""Bytes: the most that every release of glibc keeps; releases before 2.35 refuse more."""
LARGEST_TENSOR = 2**30
"""Bytes of the largest block that a training process keeps: fetching memory again is a fifth of a
step on a CPU."""
_MOST = 2**31 - 1
"""The largest number that mallopt takes."""


def keep_freed_memory(largest: int = _EVERYWHERE) -> None:
    """Lets the process keep the memory that it frees, for the next image.

    Of its own accord glibc gives blocks as large as images back to the system and fetches them
    again, page by page, which can take longer than all the copying. Other C libraries are left as
    they are.

    Args:
        largest: bytes of the largest block to keep; the default is more than an image has.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    if not mallopt(_M_MMAP_THRESHOLD, largest):
        mallopt(_M_MMAP_THRESHOLD, _EVERYWHERE)
    mallopt(_M_TRIM_THRESHOLD, min(2 * largest, _MOST))
