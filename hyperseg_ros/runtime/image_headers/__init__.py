"""Encoded images without decoding them: their size, and what decoding would cost.

A format is read only if its size can be told from its header; so a few bytes that claim a huge
image are refused before a decoder allocates it.
"""

from __future__ import annotations

from collections.abc import Callable

from hyperseg_ros.runtime.image_headers.bmp import read_bmp
from hyperseg_ros.runtime.image_headers.header import Header, ImageError
from hyperseg_ros.runtime.image_headers.jpeg import read_jpeg
from hyperseg_ros.runtime.image_headers.jpeg2000 import read_jpeg2000
from hyperseg_ros.runtime.image_headers.png import read_png
from hyperseg_ros.runtime.image_headers.pnm import read_pnm
from hyperseg_ros.runtime.image_headers.tiff import read_tiff
from hyperseg_ros.runtime.image_headers.webp import read_webp

__all__ = ["FORMATS", "Header", "ImageError", "read_header"]

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WebP", "JPEG 2000", "PNM")

_READERS: tuple[tuple[bytes, Callable[[bytes], Header]], ...] = (
    (b"\xff\xd8\xff", read_jpeg),
    (b"\x89PNG\r\n\x1a\n", read_png),
    (b"BM", read_bmp),
    (b"II*\0", read_tiff),
    (b"MM\0*", read_tiff),
    (b"RIFF", read_webp),
    (b"\0\0\0\x0cjP  \r\n\x87\n", read_jpeg2000),
    (b"\xff\x4f\xff\x51", read_jpeg2000),
    *((f"P{kind}".encode(), read_pnm) for kind in range(1, 7)),
)


def read_header(data: bytes) -> Header:
    """The header of an encoded image of one of `FORMATS`.

    Raises:
        ImageError: the bytes are none of these formats, or are damaged or cut short.
    """
    for signature, read in _READERS:
        if data.startswith(signature):
            header = read(data)
            if not header.pixels:
                raise ImageError(f"the {header.kind} says that it has no pixels")
            return header
    if not data:
        raise ImageError("there are no bytes: the image is empty")
    raise ImageError(f"the bytes are no image of a kind that is read: {', '.join(FORMATS)}")
