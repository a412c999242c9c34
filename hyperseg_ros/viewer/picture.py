"""A camera image and its labels, encoded for a page."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from hyperseg_ros.frames.messages import png_fields
from hyperseg_ros.frames.pixels import MAX_SIDE, ImageError
from hyperseg_ros.node.conversions import to_bgr

_LABEL_ENCODINGS = ("mono8", "8UC1")


@dataclass(frozen=True)
class EncodedPicture:
    """A picture as a page takes it. A missing part is empty."""

    jpeg: bytes
    """The camera image."""
    png: bytes
    """The class ids, a grey image."""
    shares: dict[int, float]
    """The share of the labels' pixels of each class id that occurs, 0 to 1."""


class Picture:
    """One frame of a camera. The messages are converted when a page asks for it, once.

    Args:
        number: tells it from all other pictures.
        image: what the camera sent, or None where only labels come.
        label: what the segmentation node made of it, or None where only images come.
    """

    def __init__(
        self, number: int, image: Image | CompressedImage | None, label: Image | None
    ) -> None:
        self.number = number
        self._image = image
        self._label = label
        self._encoded: EncodedPicture | None = None

    @property
    def stamp(self) -> tuple[int, int]:
        """Seconds and nanoseconds."""
        message = self._image if self._image is not None else self._label
        assert message is not None
        return message.header.stamp.sec, message.header.stamp.nanosec

    def encode(self, quality: int) -> EncodedPicture:
        """The picture as it is sent; called by one thread at a time.

        Args:
            quality: of the JPEG, 1 to 100.

        Raises:
            ImageError: a message cannot be decoded; the text says why.
        """
        if self._encoded is None:
            jpeg, png, shares = b"", b"", {}
            if self._image is not None:
                jpeg = _encode(".jpg", to_bgr(self._image), cv2.IMWRITE_JPEG_QUALITY, quality)
            if self._label is not None:
                labels = to_labels(self._label)
                png = png_fields(labels)["data"].tobytes()
                shares = class_shares(labels)
            self._encoded = EncodedPicture(jpeg, png, shares)
        return self._encoded

    def image_png(self) -> bytes:
        """The camera image without loss.

        Raises:
            ImageError: there is none.
        """
        if self._image is None:
            raise ImageError("the picture has labels only")
        return _encode(".png", to_bgr(self._image))


def to_labels(message: Image) -> NDArray[np.uint8]:
    """The class ids in a label message, uint8 [H, W], which share its memory.

    Raises:
        ImageError: the message holds no labels; the text says why.
    """
    height, width, step = message.height, message.width, message.step
    if message.encoding not in _LABEL_ENCODINGS:
        raise ImageError(f"labels are mono8, not {message.encoding!r}")
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise ImageError(f"labels cannot have {width} x {height} pixels")
    if step < width or len(message.data) < (height - 1) * step + width:
        raise ImageError(
            f"{len(message.data)} bytes in rows of {step} are not {width} x {height} labels"
        )
    return np.ndarray((height, width), np.uint8, message.data, strides=(step, 1))


def class_shares(labels: NDArray[np.uint8]) -> dict[int, float]:
    """The share of pixels of each class id that occurs in uint8 [H, W], 0 to 1."""
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()
    return {int(index): float(counts[index] / labels.size) for index in np.flatnonzero(counts)}


def _encode(extension: str, pixels: NDArray[np.uint8], *options: int) -> bytes:
    encoded, data = cv2.imencode(extension, pixels, options)
    if not encoded:
        raise ImageError(f"OpenCV cannot write {pixels.shape} pixels as {extension}")
    return bytes(data)
