"""Encoded bytes to pixels: the one reader of encoded images, of messages and of files.

Pixels are taken as they are stored: an orientation in the EXIF data is ignored, since a camera's
calibration and an image's labels belong to the stored pixels. What is cut short is refused instead
of being filled with grey. The header is read first, so that a few bytes cannot claim much memory or
time. Needs neither PyTorch nor ROS.
"""

from __future__ import annotations

import random
from array import array
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.image_headers import Header, ImageError, read_header

MAX_PIXELS = 7680 * 4320
"""The largest image that is decoded unless the caller says otherwise: 8K."""
_MEMORY_PER_PIXEL = 8.5
"""Bytes that decoding may need for each pixel of the largest image: 282 MB for 8K."""
_WORK, _MEGABYTE = 0.7e9, 1e6
"""Nanoseconds that decoding a megabyte may take; what is smaller may take as long."""
_JPEG_END = b"\xff\xd9"
_NOISE = bytes(random.Random(0).choices(range(0xFF), k=1024))
"""Compressed pixels of nothing, without a marker."""


def decode_image(
    content: bytes | bytearray | memoryview | array[int] | NDArray[np.uint8],
    flags: int = cv2.IMREAD_COLOR,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[Any]:
    """Decode a JPEG, PNG, BMP, TIFF, WebP, JPEG 2000 or PNM.

    Args:
        content: the bytes of the file or message.
        flags: as `cv2.imdecode` takes them. The default gives BGR, uint8 [H, W, 3];
            `cv2.IMREAD_GRAYSCALE` uint8 [H, W]; `cv2.IMREAD_UNCHANGED` what is stored.
        max_pixels: the most pixels that an image may have. Memory is bounded by it too, to 8.5
            bytes for each.

    Returns:
        The pixels as they are stored, whatever orientation the EXIF data ask for.

    Raises:
        ImageError: the bytes are no image of these formats, or one that is damaged, cut short, or
            larger than allowed.
    """
    data = bytes(content)
    header = read_header(data)
    _check_cost(header, flags, max_pixels, len(data))
    if header.is_open:
        return _decode_open_jpeg(data, header, flags)
    return _decode(data, header, flags)


def image_size(
    content: bytes | bytearray | memoryview | array[int] | NDArray[np.uint8],
    max_pixels: int = MAX_PIXELS,
) -> tuple[int, int]:
    """Height and width of an intact image; pixels are decoded only if nothing else shows that.

    Raises:
        ImageError: as `decode_image` does, except for damage that only decoding finds.
    """
    data = bytes(content)
    header = read_header(data)
    if header.is_open:
        decode_image(data, max_pixels=max_pixels)
    _check_cost(header, cv2.IMREAD_COLOR, max_pixels, len(data))
    return header.height, header.width


def _check_cost(header: Header, flags: int, max_pixels: int, length: int) -> None:
    size = f"the {header.kind} of {header.width} x {header.height} pixels"
    if header.pixels > max_pixels:
        raise ImageError(f"{size} is larger than the {max_pixels} pixels that are allowed")
    image = header.pixels * _pixel_bytes(header, flags)
    memory = image + max(image, header.scratch)  # OpenCV's own image is copied to NumPy's memory
    if memory > max_pixels * _MEMORY_PER_PIXEL:
        raise ImageError(
            f"{size} takes {memory / 1e6:.0f} MB to decode, more than the "
            f"{max_pixels * _MEMORY_PER_PIXEL / 1e6:.0f} MB that are allowed"
        )
    if header.work > _WORK * max(1.0, length / _MEGABYTE):
        raise ImageError(
            f"{size} takes too long to decode for its {length} bytes: it is built to keep a "
            "decoder busy"
        )


def _pixel_bytes(header: Header, flags: int) -> int:
    if flags == cv2.IMREAD_UNCHANGED:
        return header.channels * -(-header.bits // 8)
    depth = -(-header.bits // 8) if flags & cv2.IMREAD_ANYDEPTH else 1
    return depth * (3 if flags & (cv2.IMREAD_COLOR | cv2.IMREAD_ANYCOLOR) else 1)


def _decode(data: bytes, header: Header, flags: int) -> NDArray[Any]:
    if flags != cv2.IMREAD_UNCHANGED:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(f"the {header.kind} cannot be decoded: it is damaged or cut short")
    if pixels.shape[:2] != (header.height, header.width):
        raise ImageError(
            f"the {header.kind} is damaged: it says {header.width} x {header.height} pixels and "
            f"has {pixels.shape[1]} x {pixels.shape[0]}"
        )
    return pixels


def _decode_open_jpeg(data: bytes, header: Header, flags: int) -> NDArray[Any]:
    """A JPEG without an end marker, as some cameras send them; refused if rows are missing.

    Where pixels are missing the decoder would go on with whatever follows; so the image is intact
    if noise behind it changes nothing.
    """
    scan = data.rstrip(b"\0")
    scan = data[: len(scan) + 1].removesuffix(b"\xff")  # zeros are padding, but for the last bits
    pixels = _decode(scan + _JPEG_END, header, flags)
    probe = _decode(scan + _NOISE + _JPEG_END, header, flags)
    if not np.array_equal(pixels, probe):
        rows = (pixels != probe).reshape(len(pixels), -1).any(axis=1)
        raise ImageError(
            f"the JPEG is cut short: it has no pixels from row {int(rows.argmax())} of "
            f"{header.height} on"
        )
    return pixels
