"""TIFF: the first image of the file."""

from __future__ import annotations

from hyperseg_ros.runtime.image_headers.fields import unpack
from hyperseg_ros.runtime.image_headers.header import Header, ImageError

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _CHANNELS, _ROWS = 256, 257, 258, 259, 277, 278
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_TAGS = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _CHANNELS, _ROWS, _TILE_WIDTH, _TILE_HEIGHT}
_SHORT, _LONG = 3, 4
_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
"""None, CCITT, LZW, JPEG, Deflate, PackBits: those that every build of libtiff reads."""
_TIME_PER_PIXEL, _TIME_PER_BYTE = 10.0, 2.5


def read_tiff(data: bytes) -> Header:
    """The header of a TIFF.

    Raises:
        ImageError: it is damaged, cut short, or compressed in a way that is not read.
    """
    tags = _first_directory(data)
    if not {_WIDTH, _HEIGHT} <= tags.keys():
        raise ImageError("the TIFF has no size in its header")
    width, height = tags[_WIDTH], tags[_HEIGHT]
    compression = tags.get(_COMPRESSION, 1)
    if compression not in _COMPRESSIONS:
        raise ImageError(f"the TIFF is compressed in a way that is not read (number {compression})")
    channels, bits = tags.get(_CHANNELS, 1), tags.get(_BITS, 1)
    if not 1 <= channels <= 4 or bits > 64:
        raise ImageError(f"the TIFF has {channels} channels of {bits} bits, which is not read")
    if _TILE_WIDTH in tags:
        piece = tags[_TILE_WIDTH] * tags.get(_TILE_HEIGHT, 0)
        across = -(-width // max(1, tags[_TILE_WIDTH]))
        down = -(-height // max(1, tags.get(_TILE_HEIGHT, 0)))
        pixels = piece * across * down
    else:
        piece = width * min(height, tags.get(_ROWS, height))
        pixels = width * height
    raw = channels * -(-bits // 8)
    work = pixels * (_TIME_PER_PIXEL + raw * _TIME_PER_BYTE)
    return Header("TIFF", height, width, channels, max(8, bits), piece * (raw + 4), work)


def _first_directory(data: bytes) -> dict[int, int]:
    """The first value of each tag that is of interest."""
    order = "<" if data.startswith(b"II") else ">"
    (offset,) = unpack("TIFF", f"{order}I", data, 4)
    (count,) = unpack("TIFF", f"{order}H", data, offset)
    tags: dict[int, int] = {}
    for index in range(count):
        entry = offset + 2 + 12 * index
        tag, kind, number = unpack("TIFF", f"{order}HHI", data, entry)
        if tag in _TAGS and kind in (_SHORT, _LONG):
            layout, size = ("H", 2) if kind == _SHORT else ("I", 4)
            place = entry + 8
            if number * size > 4:
                (place,) = unpack("TIFF", f"{order}I", data, place)
            (value,) = unpack("TIFF", order + layout, data, place)
            tags.setdefault(tag, value)
    return tags
