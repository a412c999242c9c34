"""A camera frame on its way through the network."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.node.settings import Settings
from hyperseg_ros.runtime import Segmentation
from hyperseg_ros.runtime.drawing import colorize, overlay


@dataclass(frozen=True)
class Frame:
    """A camera's image, before the network has seen it."""

    header: Header
    image: NDArray[np.uint8]
    """BGR, uint8 [H, W, 3]."""
    rows: slice
    columns: slice
    """The region of interest."""
    settings: Settings
    """For all that is made of this frame."""

    @property
    def region(self) -> NDArray[np.uint8]:
        """What the network gets to see, BGR, uint8 [h, w, 3]: a view."""
        return self.image[self.rows, self.columns]


@dataclass(frozen=True)
class SegmentedFrame:
    """What is published of a frame. All images have one size."""

    header: Header
    image: NDArray[np.uint8]
    """BGR, uint8, [H, W, 3] or another size than the labels have."""
    labels: NDArray[np.uint8]
    """Class ids, or `UNLABELLED`, uint8 [H, W]."""
    confidence: NDArray[np.uint8]
    """Probability of the label x 255, uint8 [H, W]."""
    settings: Settings

    @classmethod
    def of(cls, frame: Frame, result: Segmentation) -> SegmentedFrame:
        """The network's result for a frame's region, with what the settings ask for.

        At camera resolution the pixels around the region are unlabelled, with confidence 0; at
        the network's resolution the outputs show the region alone.
        """
        labels, confidence, image = result.labels, result.confidence, frame.image
        if frame.settings.confidence_floor:
            weak = cv2.compare(confidence, frame.settings.confidence_floor, cv2.CMP_LT)
            labels = np.asarray(cv2.bitwise_or(labels, weak), np.uint8)  # 255 where weak
        if frame.settings.at_input_size:
            image = frame.region
        elif labels.shape != image.shape[:2]:
            labels = _placed(labels, frame, UNLABELLED)
            confidence = _placed(confidence, frame, 0)
        return cls(frame.header, image, labels, confidence, frame.settings)

    @functools.cached_property
    def color(self) -> NDArray[np.uint8]:
        """The labels in their colours, RGB, uint8 [H, W, 3]."""
        return colorize(self.labels, self.settings.palette)

    @property
    def overlaid(self) -> NDArray[np.uint8]:
        """The colours over the camera image, RGB, uint8 [H, W, 3]."""
        image = cv2.cvtColor(self.image, cv2.COLOR_BGR2RGB)
        if image.shape[:2] != self.labels.shape:
            image = cv2.resize(image, self.labels.shape[::-1], interpolation=cv2.INTER_AREA)
        return overlay(np.asarray(image, np.uint8), self.color, self.settings.overlay_opacity)

    def mask(self, topic: str) -> NDArray[np.uint8]:
        """255 where the label is of a class of the mask, 0 elsewhere, uint8 [H, W]."""
        return np.asarray(cv2.LUT(self.labels, self.settings.masks[topic]), np.uint8)


def _placed(part: NDArray[np.uint8], frame: Frame, around: int) -> NDArray[np.uint8]:
    whole = np.full(frame.image.shape[:2], around, np.uint8)
    whole[frame.rows, frame.columns] = part
    return whole
