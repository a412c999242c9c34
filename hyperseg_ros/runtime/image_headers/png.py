"""PNG."""

from __future__ import annotations

import zlib

from hyperseg_ros.runtime.image_headers.fields import unpack
from hyperseg_ros.runtime.image_headers.header import Header, ImageError

_FIRST_CHUNK = 8
_CHANNELS = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}
"""By colour type; a palette may have alpha."""
_PALETTE = 3
_TIME_PER_PIXEL, _TIME_PER_BYTE = 8.0, 2.0
_FRAMES = 10
"""Bytes a pixel that a decoder of animations keeps beside the first image."""
_HARMLESS = 400_000
"""Bytes of compressed pixels that unpack to no more than 0.4 GB."""
_STEP = 1 << 20


def read_png(data: bytes) -> Header:
    """The header of a PNG.

    Raises:
        ImageError: it is damaged or cut short, a chunk is longer than the data, or the compressed
            pixels unpack to far more than the image has.
    """
    length, kind, width, height, depth, color, _, _, interlaced = unpack(
        "PNG", ">I4sIIBBBBB", data, _FIRST_CHUNK
    )
    if length != 13 or kind != b"IHDR" or color not in _CHANNELS:
        raise ImageError("the PNG is damaged: it does not begin with its size")
    channels = _CHANNELS[color]
    row = 1 + (width * depth * (1 if color == _PALETTE else channels) + 7) // 8
    raw = row * height + (16 * (width + height) if interlaced else 0)
    pixels, animated = _compressed_pixels(data)
    if sum(map(len, pixels)) > _HARMLESS:
        _check_unpacked_size(pixels, raw)
    return Header(
        "PNG",
        height,
        width,
        channels,
        max(8, depth),
        scratch=(_FRAMES * width * height if animated else 0),
        work=width * height * _TIME_PER_PIXEL + raw * _TIME_PER_BYTE,
    )


def _compressed_pixels(data: bytes) -> tuple[list[memoryview], bool]:
    """The chunks of compressed pixels, and whether the file is animated."""
    view = memoryview(data)
    pixels: list[memoryview] = []
    animated = False
    place = _FIRST_CHUNK
    while True:
        if place + 12 > len(data):
            raise ImageError(f"the PNG is cut short at {len(data)} bytes: its end is missing")
        length, kind = unpack("PNG", ">I4s", data, place)
        if length > len(data) - place - 12:
            raise ImageError(
                f"the PNG is cut short or damaged: its chunk {kind.decode('latin-1')!r} of "
                f"{length} bytes is longer than what is left, {len(data) - place - 12} bytes"
            )
        if kind == b"IEND":
            return pixels, animated
        if kind == b"IDAT":
            pixels.append(view[place + 8 : place + 8 + length])
        animated |= kind == b"acTL"
        place += 12 + length


def _check_unpacked_size(pixels: list[memoryview], raw: int) -> None:
    """Unpacks without keeping anything: a decoder would, to the end of a bomb."""
    stream, size = zlib.decompressobj(), 0
    try:
        for part in pixels:
            left: bytes | memoryview = part
            while left and not stream.eof:
                size += len(stream.decompress(left, _STEP))
                left = stream.unconsumed_tail
                if size > raw:
                    raise ImageError("the PNG is damaged: it unpacks to more than its pixels")
    except zlib.error as error:
        raise ImageError(f"the PNG is damaged: {error}") from None
