"""Joins each label image with the camera image that it was made from."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

from sensor_msgs.msg import CompressedImage, Image

MAX_WAITING = 30
"""Camera images that wait for their labels at most."""
MAX_WAITING_BYTES = 64 << 20
ALONE_AFTER = 2.0
"""Seconds without the one after which the other is shown alone."""

CameraImage: TypeAlias = "Image | CompressedImage"
Pair: TypeAlias = "tuple[CameraImage | None, Image | None]"


class Pairing:
    """Images and labels of one camera, which belong together where their stamps are equal.

    While both come, only pairs are given out: class colours never lie on another moment's image.
    Where one of them does not come, or not any more, the other is given out alone.

    Args:
        clock: seconds that go on evenly.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._images: OrderedDict[tuple[int, int], CameraImage] = OrderedDict()
        self._bytes = 0
        self._early_label: Image | None = None
        self._last_pair = self._last_image = self._last_label = float("-inf")

    def add_image(self, image: CameraImage) -> Pair | None:
        """Takes a camera image; what there is to show now, if anything."""
        self._last_image = self._clock()
        label = self._early_label
        if label is not None and _stamp(label) == _stamp(image):
            return self._pair(image, label)
        self._forget(_stamp(image))
        self._images[_stamp(image)] = image
        self._bytes += len(image.data)
        while len(self._images) > MAX_WAITING or (
            self._bytes > MAX_WAITING_BYTES and len(self._images) > 1
        ):
            self._forget(next(iter(self._images)))
        labels_come = self._last_image - self._last_label < ALONE_AFTER
        return None if labels_come and self._matches_lately() else (image, None)

    def add_label(self, label: Image) -> Pair | None:
        """Takes a label image; what there is to show now, if anything."""
        self._last_label = self._clock()
        image = self._images.get(_stamp(label))
        if image is not None:
            return self._pair(image, label)
        self._early_label = label
        images_come = self._last_label - self._last_image < ALONE_AFTER
        return None if images_come else (None, label)

    def _pair(self, image: CameraImage, label: Image) -> Pair:
        self._last_pair = self._clock()
        self._early_label = None
        if _stamp(label) in self._images:
            while next(iter(self._images)) != _stamp(label):
                self._forget(next(iter(self._images)))
            self._forget(_stamp(label))
        return image, label

    def _matches_lately(self) -> bool:
        return self._clock() - self._last_pair < ALONE_AFTER

    def _forget(self, stamp: tuple[int, int]) -> None:
        image = self._images.pop(stamp, None)
        if image is not None:
            self._bytes -= len(image.data)


def _stamp(message: CameraImage) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec
