"""Camera messages to pixels, and pixels to image messages: one table over OpenCV.

The results equal cv_bridge's, without its copies: an image that is BGR already stays where the
middleware put it.
"""

from __future__ import annotations

import array
import difflib
import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.runtime import decoding

MAX_SIDE = 16384
"""The largest height or width, in pixels, that is believed to be an image."""


class ImageError(ValueError):
    """A message that is no image; the text says what is wrong with it."""


class _PixelFormat(NamedTuple):
    """How the pixels of one encoding lie in memory, and how OpenCV makes them BGR."""

    channels: int
    to_bgr: int | None
    depth: int = 8
    even_width: bool = False
    half_chroma: bool = False
    """Below the luma plane lies a plane of half its height with interleaved chroma (NV12, NV21)."""


# OpenCV names a Bayer pattern after its second row, ROS after its first.
_FORMATS = {
    "bgr8": _PixelFormat(3, None),
    "8UC3": _PixelFormat(3, None),
    "rgb8": _PixelFormat(3, cv2.COLOR_RGB2BGR),
    "bgra8": _PixelFormat(4, cv2.COLOR_BGRA2BGR),
    "rgba8": _PixelFormat(4, cv2.COLOR_RGBA2BGR),
    "mono8": _PixelFormat(1, cv2.COLOR_GRAY2BGR),
    "8UC1": _PixelFormat(1, cv2.COLOR_GRAY2BGR),
    "mono16": _PixelFormat(1, cv2.COLOR_GRAY2BGR, depth=16),
    "bgr16": _PixelFormat(3, None, depth=16),
    "rgb16": _PixelFormat(3, cv2.COLOR_RGB2BGR, depth=16),
    "bayer_rggb8": _PixelFormat(1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": _PixelFormat(1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": _PixelFormat(1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": _PixelFormat(1, cv2.COLOR_BayerGB2BGR),
    "yuv422": _PixelFormat(2, cv2.COLOR_YUV2BGR_UYVY, even_width=True),
    "yuv422_yuy2": _PixelFormat(2, cv2.COLOR_YUV2BGR_YUY2, even_width=True),
    "nv12": _PixelFormat(1, cv2.COLOR_YUV2BGR_NV12, even_width=True, half_chroma=True),
    "nv21": _PixelFormat(1, cv2.COLOR_YUV2BGR_NV21, even_width=True, half_chroma=True),
}

# Labels come in long runs: a fifth of the time of OpenCV's own filters, at a similar size.
_PNG = [
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
]
_PNG_GRADUAL = _PNG
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # from OpenCV 4.12 on
    _PNG_GRADUAL = [*_PNG, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
    _PNG = [*_PNG, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]

ENCODINGS = tuple(_FORMATS)
"""The `sensor_msgs/Image` encodings that need no cv_bridge."""


def to_bgr(message: Image | CompressedImage) -> NDArray[np.uint8]:
    """The pixels of a camera message, uint8 [H, W, 3] in BGR order.

    16-bit channels are scaled to 8 bits. The array may share the message's memory, padded rows
    and all.

    Raises:
        ImageError: the message does not hold an image; the text says why.
    """
    if isinstance(message, CompressedImage):
        return _decompress(message)
    _check_size(message.height, message.width)
    pixel_format = _FORMATS.get(message.encoding)
    if pixel_format is None:
        return _through_cv_bridge(message)
    pixels = _view(message, pixel_format)
    if pixel_format.to_bgr is not None:
        pixels = cv2.cvtColor(pixels, pixel_format.to_bgr)
    if pixel_format.depth == 16:
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / 65535)
    return pixels


def to_image(header: Header, pixels: NDArray[np.uint8], encoding: str) -> Image:
    """An image message of `pixels`, uint8 [H, W] or [H, W, C], with rows that are not padded."""
    return ReusedImage(encoding).of(header, pixels)


class ReusedImage:
    """An image message whose memory serves one frame after the other.

    A frame costs one copy into memory that is at hand, however often a distribution's messages
    copy what they are given. It keeps the memory of its last frame.

    Args:
        encoding: of the message.
    """

    def __init__(self, encoding: str) -> None:
        self._message = Image(encoding=encoding)
        self._pixels: NDArray[np.uint8] = np.empty(0, np.uint8)
        """What the message holds: a view."""

    def of(self, header: Header, pixels: NDArray[np.uint8]) -> Image:
        """The message with `pixels`, uint8 [H, W] or [H, W, C], in rows that are not padded.

        It is good until the next call. Publishing serialises it, so afterwards it is free.
        """
        np.copyto(self.canvas(pixels.shape), pixels)
        return self.message(header)

    def canvas(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """The pixels of the message, uint8 of shape [H, W] or [H, W, C], to be drawn into."""
        if self._pixels.shape != shape:
            message = self._message
            message.height, message.width = shape[:2]
            message.step = math.prod(shape[1:])
            # Every distribution takes an array.array; of other types some check each single byte.
            message.data = array.array("B", bytes(1)) * math.prod(shape)
            self._pixels = np.frombuffer(message.data, np.uint8).reshape(shape)
        return self._pixels

    def message(self, header: Header) -> Image:
        """The message with what its canvas shows, as good as that of `of`."""
        self._message.header = header
        return self._message


def to_png(header: Header, pixels: NDArray[np.uint8], gradual: bool = False) -> CompressedImage:
    """A lossless mono8 message of `pixels`, uint8 [H, W], as image_transport names and reads it.

    Args:
        header: of the message.
        pixels: ids or masks, or with `gradual` values that change little from row to row.
        gradual: which of these is to be made small; both give back the same pixels.
    """
    encoded, png = cv2.imencode(".png", pixels, _PNG_GRADUAL if gradual else _PNG)
    if not encoded:
        raise RuntimeError(f"OpenCV cannot write a PNG of {pixels.shape}")
    data = array.array("B")
    data.frombytes(png.data.cast("B"))
    return CompressedImage(header=header, format="mono8; png compressed ", data=data)


def _check_size(height: int, width: int) -> None:
    if height == 0 or width == 0:
        raise ImageError(f"the image has no pixels: it is {width} x {height}")
    if height > MAX_SIDE or width > MAX_SIDE:
        raise ImageError(f"an image of {width} x {height} is beyond {MAX_SIDE} pixels a side")


def _view(message: Image, pixel_format: _PixelFormat) -> NDArray[Any]:
    """The message's own memory as [rows, W] or [rows, W, C], uint8 or uint16.

    Only 16-bit pixels are copied, where their byte order or alignment asks for it.
    """
    height, width, step, encoding = message.height, message.width, message.step, message.encoding
    item = pixel_format.depth // 8
    row = width * pixel_format.channels * item
    if pixel_format.even_width and width % 2:
        raise ImageError(f"{encoding} shares chroma between two pixels: width {width} is odd")
    if pixel_format.half_chroma and height % 2:
        raise ImageError(f"{encoding} shares chroma between two rows: height {height} is odd")
    if step < row:
        raise ImageError(
            f"step {step} is smaller than a row: {width} pixels of {encoding} take {row} bytes"
        )
    rows = height * 3 // 2 if pixel_format.half_chroma else height
    # The padding of the last row may be missing: no pixel is in it.
    if len(message.data) < (rows - 1) * step + row:
        raise ImageError(
            f"data has {len(message.data)} bytes, fewer than {rows} rows x step {step} "
            f"= {rows * step} of a {width} x {height} {encoding} image"
        )
    byte_order = ">" if message.is_bigendian else "<"
    pixels: NDArray[Any] = np.ndarray(
        (rows, width, pixel_format.channels),
        np.dtype(f"{byte_order}u{item}"),
        buffer=message.data,
        strides=(step, pixel_format.channels * item, item),
    )
    if item > 1:
        pixels = np.require(pixels, np.dtype(f"u{item}"), ["ALIGNED"])
    return pixels[..., 0] if pixel_format.channels == 1 else pixels


def _decompress(message: CompressedImage) -> NDArray[np.uint8]:
    try:
        pixels = decoding.decode_image(message.data)
    except decoding.ImageError as error:
        raise ImageError(f"a compressed image of format {message.format!r}: {error}") from None
    _check_size(*pixels.shape[:2])
    return pixels


def _through_cv_bridge(message: Image) -> NDArray[np.uint8]:
    """An encoding outside the table, where ROS's own converter is installed."""
    try:
        import cv_bridge
    except ImportError:
        nearest = difflib.get_close_matches(message.encoding.lower(), ENCODINGS, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ImageError(
            f"unknown encoding {message.encoding!r}: {hint}Known without cv_bridge: "
            + ", ".join(ENCODINGS)
        ) from None
    try:
        return cv_bridge.CvBridge().imgmsg_to_cv2(message, "bgr8")
    except cv_bridge.CvBridgeError as error:
        raise ImageError(f"cv_bridge cannot read {message.encoding!r}: {error}") from error
