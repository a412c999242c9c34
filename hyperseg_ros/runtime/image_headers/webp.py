"""WebP: lossy, lossless, with alpha, animated."""

from __future__ import annotations

from hyperseg_ros.runtime.image_headers.fields import unpack
from hyperseg_ros.runtime.image_headers.header import Header, ImageError

_ANIMATION = 0x02
_TIME_PER_PIXEL = 16.0
_CANVASES = 10
"""Bytes a pixel of the two canvases that an animation is drawn on, and of a frame."""


def read_webp(data: bytes) -> Header:
    """The header of a WebP.

    Raises:
        ImageError: it is damaged or cut short.
    """
    size, chunk = unpack("WebP", "<I4x4s", data, 4)
    if len(data) < size + 8:
        raise ImageError(f"the WebP is cut short: {len(data)} of {size + 8} bytes are there")
    scratch = 4
    if chunk == b"VP8X":
        flags, wide, high = unpack("WebP", "<B3x3s3s", data, 20)
        width, height = (int.from_bytes(side, "little") + 1 for side in (wide, high))
        if flags & _ANIMATION:
            scratch = _CANVASES
    elif chunk == b"VP8L":
        (sides,) = unpack("WebP", "<I", data, 21)
        width, height = (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        width, height = (side & 0x3FFF for side in unpack("WebP", "<HH", data, 26))
    else:
        raise ImageError("the WebP has no image in its first chunk")
    pixels = width * height
    return Header("WebP", height, width, 4, 8, scratch * pixels, pixels * _TIME_PER_PIXEL)
