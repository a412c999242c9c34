"""Between ROS messages and plain arrays: what `frames` says a message holds, in rclpy's classes."""

from __future__ import annotations

import array
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from hyperseg_ros.frames import pixels
from hyperseg_ros.frames.messages import Fields, image_fields
from hyperseg_ros.frames.pixels import DEFAULT_READING, Picture, Reading, UnknownEncodingError
from hyperseg_ros.msg import ClassMask, ClassMasks


def read_picture(message: Image | CompressedImage, reading: Reading = DEFAULT_READING) -> Picture:
    """The pixels of a camera message, with cv_bridge's help where it knows more encodings.

    Raises:
        ImageError: the message does not hold an image; the text says why.
    """
    try:
        return pixels.read_picture(message, reading)
    except UnknownEncodingError as error:
        bridged = _through_cv_bridge(message)
        if bridged is None:
            raise error
        return Picture(bridged, "")


def to_bgr(
    message: Image | CompressedImage, reading: Reading = DEFAULT_READING
) -> NDArray[np.uint8]:
    """The pixels of a camera message, uint8 [H, W, 3] in BGR order; see `read_picture`."""
    return read_picture(message, reading).bgr


def _through_cv_bridge(message: Image) -> NDArray[np.uint8] | None:
    """The pixels as ROS's own converter reads them, where it is installed and can."""
    try:
        import cv_bridge

        return np.asarray(cv_bridge.CvBridge().imgmsg_to_cv2(message, "bgr8"), np.uint8)
    except ImportError:  # not installed, or built for another NumPy
        return None
    except cv_bridge.CvBridgeError:
        return None


def to_image(header: Header, pixels_: NDArray[np.uint8], encoding: str) -> Image:
    """An image message of pixels, uint8 [H, W] or [H, W, C], with rows that are not padded."""
    image = ReusedImage()
    canvas = image.canvas(pixels_.shape)
    np.copyto(canvas, pixels_)
    return image.message(header, image_fields(canvas, encoding))


class ReusedImage:
    """An image message whose memory serves one frame after the other.

    A frame is drawn into memory that is at hand, however often a distribution's messages copy what
    they are given. It keeps the memory of its last frame.
    """

    def __init__(self) -> None:
        self._message = Image()
        self._pixels: NDArray[np.uint8] = np.empty(0, np.uint8)
        """What the message holds: a view."""

    def canvas(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """The pixels of the message, uint8 of shape [H, W] or [H, W, C], to be drawn into."""
        if self._pixels.shape != shape:
            # Every distribution takes an array.array; of other types some check each single byte.
            self._message.data = array.array("B", bytes(1)) * math.prod(shape)
            self._pixels = np.frombuffer(self._message.data, np.uint8).reshape(shape)
        return self._pixels

    def message(self, header: Header, fields: Fields) -> Image:
        """The message with what its canvas shows.

        It is good until the canvas is drawn on again. Publishing serialises it, so afterwards it
        is free.

        Args:
            header: of the message.
            fields: of the message; `data` is the canvas.
        """
        message = self._message
        message.header = header
        for name, value in fields.items():
            if name != "data":
                setattr(message, name, value)
        return message


def compressed_image(header: Header, fields: Fields) -> CompressedImage:
    """A compressed image of the fields that `frames` gives it."""
    return CompressedImage(header=header, **{**fields, "data": _bytes(fields["data"])})


def class_masks(header: Header, fields: Fields) -> ClassMasks:
    """Class masks of the fields that `frames` gives them."""
    masks = [
        ClassMask(**{**mask, "bounding_box": RegionOfInterest(**mask["bounding_box"])})
        for mask in fields["masks"]
    ]
    return ClassMasks(header=header, **{**fields, "masks": masks})


def _bytes(data: NDArray[np.uint8]) -> array.array[Any]:
    filled = array.array("B")
    filled.frombytes(data.data)
    return filled
