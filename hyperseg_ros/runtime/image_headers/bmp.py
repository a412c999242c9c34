"""BMP, as Windows and OS/2 write it."""

from __future__ import annotations

from hyperseg_ros.runtime.image_headers.fields import unpack
from hyperseg_ros.runtime.image_headers.header import Header, ImageError

_CORE_HEADER = 12
_UNCOMPRESSED = (0, 3)  # RGB; RGB with masks
_TIME_PER_PIXEL = 8.0


def read_bmp(data: bytes) -> Header:
    """The header of a BMP.

    Raises:
        ImageError: it is cut short.
    """
    begin, size = unpack("BMP", "<II", data, 10)
    if size == _CORE_HEADER:
        width, height, _, bits = unpack("BMP", "<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = unpack("BMP", "<iiHHI", data, 18)
    width, height = abs(width), abs(height)  # a negative height is an image from top to bottom
    if compression in _UNCOMPRESSED:
        row = (width * bits + 31) // 32 * 4
        if len(data) < begin + row * height:
            missing = height - max(0, len(data) - begin) // max(1, row)
            raise ImageError(f"the BMP is cut short: {missing} of its {height} rows are missing")
    return Header("BMP", height, width, 4, 8, work=width * height * _TIME_PER_PIXEL)
