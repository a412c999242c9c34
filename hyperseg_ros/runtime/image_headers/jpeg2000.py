"""JPEG 2000: the codestream, alone or in a JP2 file."""

from __future__ import annotations

from hyperseg_ros.runtime.image_headers.fields import unpack
from hyperseg_ros.runtime.image_headers.header import Header, ImageError

_CODESTREAM, _SIZE_MARKER, _STYLE_MARKER = b"\xff\x4f\xff\x51", 0xFF51, 0xFF52
_TILE_PART = 0xFF90
_MOST_TILES, _MOST_LAYERS, _MOST_LEVELS, _SMALLEST_PRECINCT = 1024, 64, 10, 5
"""Limits on what a decoder allocates structures for, whatever the number of pixels."""
_TIME_PER_SAMPLE, _TIME_PER_BYTE = 8.0, 200.0


def read_jpeg2000(data: bytes) -> Header:
    """The header of a JPEG 2000 image.

    Raises:
        ImageError: it is damaged, cut short, or parted into more pieces than an image needs.
    """
    begin = data.find(_CODESTREAM)
    if begin < 0:
        raise ImageError("the JPEG 2000 file has no codestream")
    _, _, right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, channels = unpack(
        "JPEG 2000", ">HHIIIIIIIIH", data, begin + 4
    )
    if not tile_width * tile_height or right <= left or bottom <= top or not channels:
        raise ImageError("the JPEG 2000 image says that it has no pixels")
    if channels > 4:
        raise ImageError(f"the JPEG 2000 image has {channels} channels, which is not read")
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    if tiles > _MOST_TILES:
        raise ImageError(f"the JPEG 2000 image has {tiles} tiles, more than {_MOST_TILES}")
    _check_styles(data, begin + 2)
    (depth,) = unpack("JPEG 2000", ">B", data, begin + 42)
    width, height = right - left, bottom - top
    samples = width * height * channels
    return Header(
        "JPEG 2000",
        height,
        width,
        channels,
        max(8, (depth & 0x7F) + 1),
        scratch=4 * samples,
        work=samples * _TIME_PER_SAMPLE + len(data) * _TIME_PER_BYTE,
    )


def _check_styles(data: bytes, place: int) -> None:
    """Refuse coding styles whose structures need more memory than the image."""
    while True:
        marker, length = unpack("JPEG 2000", ">HH", data, place)
        if marker == _TILE_PART:
            return
        if marker < 0xFF00 or length < 2:
            raise ImageError("the JPEG 2000 image is damaged: it has no marker where one must be")
        if marker == _STYLE_MARKER:
            style, _, layers, _, levels = unpack("JPEG 2000", ">BBHBB", data, place + 4)
            precincts = data[place + 14 : place + 2 + length] if style & 1 else b""
            small = [
                size for size in precincts[1:] if min(size & 15, size >> 4) < _SMALLEST_PRECINCT
            ]
            if layers > _MOST_LAYERS or levels > _MOST_LEVELS or small:
                raise ImageError(
                    f"the JPEG 2000 image has {layers} layers and {levels} levels"
                    f"{', in tiny precincts' if small else ''}, which is not read"
                )
        place += 2 + length
