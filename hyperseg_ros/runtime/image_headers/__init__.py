"""Encoded images without decoding them: their size, and what decoding would cost.

A format is read only if its size can be told from its header; so a few bytes that claim a huge
image are refused before a decoder allocates it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hyperseg_ros.runtime.image_headers.bmp import read_bmp
from hyperseg_ros.runtime.image_headers.header import Header, ImageError
from hyperseg_ros.runtime.image_headers.jpeg import read_jpeg
from hyperseg_ros.runtime.image_headers.jpeg2000 import read_jpeg2000
from hyperseg_ros.runtime.image_headers.png import read_png
from hyperseg_ros.runtime.image_headers.pnm import read_pnm
from hyperseg_ros.runtime.image_headers.tiff import read_tiff
from hyperseg_ros.runtime.image_headers.webp import read_webp

__all__ = ["FORMATS", "SIGNATURE_BYTES", "Header", "ImageError", "is_readable", "read_header"]

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WebP", "JPEG 2000", "PNM")

_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Header]], ...] = tuple(
    (re.compile(signature, re.DOTALL), read)
    for signature, read in (
        (rb"\xff\xd8\xff", read_jpeg),
        (rb"\x89PNG\r\n\x1a\n", read_png),
        (rb"BM", read_bmp),
        (rb"II\*\0|MM\0\*", read_tiff),
        (rb"RIFF....WEBP", read_webp),
        (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", read_jpeg2000),
        (rb"P[1-6]\s", read_pnm),
    )
)
SIGNATURE_BYTES = 16
"""What tells the formats apart."""


def is_readable(head: bytes) -> bool:
    """Whether the first bytes of a file are those of one of `FORMATS`."""
    return any(signature.match(head) for signature, _ in _READERS)


def read_header(data: bytes) -> Header:
    """The header of an encoded image of one of `FORMATS`.

    Raises:
        ImageError: the bytes are none of these formats, or are damaged or cut short.
    """
    for signature, read in _READERS:
        if signature.match(data):
            header = read(data)
            if not header.pixels:
                raise ImageError(f"the {header.kind} says that it has no pixels")
            return header
    if not data:
        raise ImageError("there are no bytes: the image is empty")
    raise ImageError(f"the bytes are no image of a kind that is read: {', '.join(FORMATS)}")
