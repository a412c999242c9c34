"""PBM, PGM and PPM, in text and in binary."""

from __future__ import annotations

import re

from hyperseg_ros.runtime.image_headers.header import Header, ImageError

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
_BITMAP = re.compile(rb"P[14]" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})\s")
_PIXMAP = re.compile(
    rb"P[2356]" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,5})\s"
)
_HEADER_BYTES = 4096
_TIME_PER_PIXEL, _TIME_PER_BYTE_OF_TEXT = 6.0, 20.0


def read_pnm(data: bytes) -> Header:
    """The header of a PBM, PGM or PPM.

    Raises:
        ImageError: it has no size, or is cut short.
    """
    kind = data[1:2]
    found = (_BITMAP if kind in b"14" else _PIXMAP).match(data[:_HEADER_BYTES])
    if not found:
        raise ImageError("the PNM has no size in its header")
    width, height = int(found[1]), int(found[2])
    deepest = 1 if kind in b"14" else int(found[3])
    channels = 3 if kind in b"36" else 1
    bits = 16 if deepest > 255 else 8
    binary = kind in b"456"
    if binary:
        row = (width + 7) // 8 if kind == b"4" else width * channels * bits // 8
        if len(data) - found.end() < row * height:
            rows = (len(data) - found.end()) // max(1, row)
            raise ImageError(
                f"the PNM is cut short: {height - rows} of its {height} rows are missing"
            )
    work = width * height * _TIME_PER_PIXEL
    work += 0.0 if binary else len(data) * _TIME_PER_BYTE_OF_TEXT
    return Header("PNM", height, width, channels, bits, work=work)
