"""The memory that images come and go in."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_LARGEST = 32 * 1024 * 1024
"""Bytes of the largest block to keep: the most that glibc allows, and more than an image has."""


def keep_freed_memory() -> None:
    """Lets the process keep the memory that it frees, for the next image.

    Of its own accord glibc gives blocks as large as images back to the system and fetches them
    anew, page by page, which can take longer than all the copying. Other C libraries are left as
    they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, 2 * _LARGEST)
