"""Numbers at places in bytes; a place behind the end is a file that is cut short."""

from __future__ import annotations

import struct
from typing import Any

from hyperseg_ros.runtime.image_headers.header import ImageError


def unpack(kind: str, layout: str, data: bytes, offset: int) -> tuple[Any, ...]:
    """`struct.unpack_from`, for a file of a kind.

    Raises:
        ImageError: the data end before.
    """
    try:
        return struct.unpack_from(layout, data, offset)
    except struct.error:
        raise ImageError(f"the {kind} is cut short at {len(data)} bytes") from None
