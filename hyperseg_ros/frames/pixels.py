"""The pixels of a camera message, from its fields: one table over OpenCV.

A message is anything with the fields of sensor_msgs/Image or sensor_msgs/CompressedImage: rclpy's,
or a bag reader's. The results equal cv_bridge's, without its copies: an image that is BGR already
stays where the middleware put it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.frames.encodings import ENCODINGS, Encoding, refusal
from hyperseg_ros.runtime import decoding
from hyperseg_ros.runtime.decoding import MAX_PIXELS

MAX_SIDE = 16384
"""The largest height or width, in pixels, that is believed to be an image."""
FULL_RANGE = (0, 65535)
_NARROW = 4
"""16-bit images that use a smaller part of their range than one in this many get a warning."""
_SAMPLES = 64
"""Rows and columns, about, that are sampled to see what range an image uses."""

# BT.601 in studio range, as OpenCV reads NV12: BGR of (Y, U, V).
_YUV_TO_BGR = np.array([[1.164, 2.018, 0.0], [1.164, -0.391, -0.813], [1.164, 0.0, 1.596]])
_YUV_OFFSET = -_YUV_TO_BGR @ (16.0, 128.0, 128.0)


class ImageError(ValueError):
    """A message that is not an image; the text says what is wrong with it."""


class UnknownEncodingError(ImageError):
    """A raw image in an encoding that is not among `ENCODINGS`."""


class RawImage(Protocol):
    """The fields of sensor_msgs/Image that say what its pixels are."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any
    """A buffer of bytes."""


class CompressedImage(Protocol):
    """The fields of sensor_msgs/CompressedImage that say what its pixels are."""

    format: str
    data: Any
    """A buffer of bytes."""


@dataclass(frozen=True)
class Reading:
    """How messages are read."""

    max_pixels: int = MAX_PIXELS
    """Images with more pixels are refused, compressed ones before they are decoded."""
    range_16bit: tuple[int, int] = FULL_RANGE
    """The 16-bit values that become 0 and 255."""


class Picture(NamedTuple):
    """The pixels of a message."""

    bgr: NDArray[np.uint8]
    """uint8 [H, W, 3] in BGR order; may share the message's memory, padded rows and all."""
    warning: str
    """Why the pixels may not be what they should be, a sentence; empty where all is well."""


DEFAULT_READING = Reading()


def to_bgr(
    message: RawImage | CompressedImage, reading: Reading = DEFAULT_READING
) -> NDArray[np.uint8]:
    """The pixels of a camera message, uint8 [H, W, 3] in BGR order; see `read_picture`."""
    return read_picture(message, reading).bgr


def read_picture(
    message: RawImage | CompressedImage, reading: Reading = DEFAULT_READING
) -> Picture:
    """The pixels of a camera message.

    Raises:
        UnknownEncodingError: the encoding is not known, or holds no picture.
        ImageError: the message does not hold an image; the text says why.
    """
    if hasattr(message, "encoding"):
        return _read_raw(cast("RawImage", message), reading)
    return _read_compressed(message, reading)


def _read_raw(message: RawImage, reading: Reading) -> Picture:
    _check_size(message.height, message.width, reading)
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise UnknownEncodingError(refusal(message.encoding))
    pixels = _view(message, encoding)
    if encoding.chroma_rows == 2:
        return Picture(_nv24_to_bgr(pixels), "")
    return _to_bgr(pixels, encoding, reading)


def _to_bgr(pixels: NDArray[Any], encoding: Encoding, reading: Reading) -> Picture:
    warning = ""
    if encoding.depth == 16:
        warning = _range_warning(pixels, reading.range_16bit)
        pixels = _to_8_bits(pixels, reading.range_16bit)
    if encoding.to_bgr is not None:
        pixels = cv2.cvtColor(pixels, encoding.to_bgr)
    return Picture(pixels, warning)


def _check_size(height: int, width: int, reading: Reading) -> None:
    if height == 0 or width == 0:
        raise ImageError(f"the image has no pixels: it is {width} x {height}")
    if height > MAX_SIDE or width > MAX_SIDE:
        raise ImageError(f"an image of {width} x {height} is beyond {MAX_SIDE} pixels a side")
    if height * width > reading.max_pixels:
        raise ImageError(
            f"an image of {width} x {height} pixels is larger than max_pixels, {reading.max_pixels}"
        )


def _view(message: RawImage, encoding: Encoding) -> NDArray[Any]:
    """The message's own memory as [rows, W] or [rows, W, C], uint8 or uint16.

    Only 16-bit pixels are copied, where their byte order or alignment asks for it.
    """
    height, width, step, name = message.height, message.width, message.step, message.encoding
    item = encoding.depth // 8
    row = width * encoding.channels * item
    if encoding.even_width and width % 2:
        raise ImageError(f"{name} shares chroma between two pixels: width {width} is odd")
    rows = height * (1 + encoding.chroma_rows)
    if rows != int(rows):
        raise ImageError(f"{name} shares chroma between two rows: height {height} is odd")
    rows = int(rows)
    if step < row:
        raise ImageError(
            f"step {step} is smaller than a row: {width} pixels of {name} take {row} bytes"
        )
    size = len(message.data)
    expected = f"{rows} rows x step {step} = {rows * step} of a {width} x {height} {name} image"
    # The padding of the last row may be missing: no pixel is in it.
    if size < (rows - 1) * step + row:
        raise ImageError(f"data has {size} bytes, fewer than {expected}")
    if size > rows * step:
        raise ImageError(
            f"data has {size} bytes, more than {expected}: the driver gives a wrong height, step "
            "or encoding"
        )
    byte_order = ">" if message.is_bigendian else "<"
    pixels: NDArray[Any] = np.ndarray(
        (rows, width, encoding.channels),
        np.dtype(f"{byte_order}u{item}"),
        buffer=message.data,
        strides=(step, encoding.channels * item, item),
    )
    if item > 1:
        pixels = np.require(pixels, np.dtype(f"u{item}"), ["ALIGNED"])
    return pixels[..., 0] if encoding.channels == 1 else pixels


def _nv24_to_bgr(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """BGR of a luma plane and, below it, rows of interleaved chroma twice as long."""
    rows, width = planes.shape
    height, step = rows // 3, planes.strides[0]
    luma = np.maximum(planes[:height], 16)  # black
    chroma = np.lib.stride_tricks.as_strided(
        planes[height:], (height, width, 2), (2 * step, 2, 1), writeable=False
    )
    yuv = np.dstack((luma, chroma))
    return np.asarray(cv2.transform(yuv, np.column_stack((_YUV_TO_BGR, _YUV_OFFSET))), np.uint8)


# 16 bits


def _to_8_bits(pixels: NDArray[np.uint16], limits: tuple[int, int]) -> NDArray[np.uint8]:
    """The values from `limits` on a scale from 0 to 255, rounded to nearest."""
    lowest, highest = limits
    if lowest:
        pixels = np.asarray(cv2.subtract(pixels, (lowest,) * 4), np.uint16)  # not below 0
    return np.asarray(cv2.convertScaleAbs(pixels, alpha=255 / (highest - lowest)), np.uint8)


def _range_warning(pixels: NDArray[np.uint16], limits: tuple[int, int]) -> str:
    """What to do about an image of a sensor with fewer bits than its encoding, if it is one."""
    rows, columns = (max(1, side // _SAMPLES) for side in pixels.shape[:2])
    sample = pixels[rows // 2 :: rows, columns // 2 :: columns]
    low, high = (int(value) for value in np.percentile(sample, (1, 99)))
    lowest, highest = limits
    used = min(high, highest) - max(low, lowest)
    if used * _NARROW > highest - lowest:
        return ""
    bits = max(8, high.bit_length() + high.bit_length() % 2)
    better = [0, 2**bits - 1] if low * 4 < high else [low, max(high, low + 255)]
    return (
        f"16-bit pixels are from {low} to {high}, so that range_16bit [{lowest}, {highest}] leaves "
        f"{max(0, used) * 255 // (highest - lowest) + 1} of 256 grey levels: set range_16bit to "
        f"what the sensor gives, such as {better}"
    )


# Compressed


def _read_compressed(message: CompressedImage, reading: Reading) -> Picture:
    if "compressedDepth" in message.format:
        raise ImageError(
            f"format {message.format!r} holds distances, not a picture: subscribe to the camera's "
            "image"
        )
    pixels = _decode(message, reading)
    _check_size(pixels.shape[0], pixels.shape[1], reading)
    depth = 8 * pixels.itemsize
    source, stored = _pixel_formats(message.format)
    if pixels.ndim == 3:
        picture = _to_bgr(
            pixels, ENCODINGS[f"{'rgb' if 'rgb' in stored else 'bgr'}{depth}"], reading
        )
        if "mono" in stored or "mono" in source:
            gray = cv2.cvtColor(picture.bgr, cv2.COLOR_BGR2GRAY)
            return Picture(np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)), picture.warning)
        return picture
    bayer = re.match("bayer_[rgb]{4}", source)
    encoding = ENCODINGS.get(f"{bayer[0] if bayer else 'mono'}{depth}")
    if encoding is None:
        raise ImageError(f"format {message.format!r} is not known: there is no {source!r}")
    picture = _to_bgr(pixels, encoding, reading)
    if not bayer and re.match("rgb|bgr|yuv|uyvy|nv", source):
        grey = f"the images of format {message.format!r} are grey, though the camera has colours"
        return Picture(picture.bgr, picture.warning or grey)
    return picture


def _pixel_formats(text: str) -> tuple[str, str]:
    """What a `format` says of the camera's pixels, and of those that the codec was given.

    It is "<source>; <codec> compressed <stored>", as compressed_image_transport writes it, or
    anything else, which says nothing.
    """
    found = re.fullmatch(r"\s*([^;]*);\s*\S+\s+compressed\s*(\S*)\s*", text)
    return (found[1].strip(), found[2]) if found else ("", "")


def _decode(message: CompressedImage, reading: Reading) -> NDArray[Any]:
    """The picture as it is stored, uint8 or uint16, [H, W] or [H, W, 3] in the codec's order."""
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    try:
        pixels = decoding.decode_image(message.data, flags, reading.max_pixels)
    except decoding.ImageError as error:
        raise ImageError(f"a compressed image of format {message.format!r}: {error}") from None
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"a compressed image of {pixels.dtype} values is not a camera's")
    return pixels
