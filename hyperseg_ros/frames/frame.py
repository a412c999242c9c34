"""A camera's image, and what can be made of it once the network has seen it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.frames.settings import FrameSettings
from hyperseg_ros.runtime import Segmentation
from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.runtime.resizing import fit_labels


@dataclass(frozen=True)
class Frame:
    """A camera's image, before the network has seen it."""

    image: NDArray[np.uint8]
    """BGR, uint8 [H, W, 3]."""
    rows: slice
    columns: slice
    """The region of interest."""
    settings: FrameSettings
    """For all that is made of this frame."""

    @property
    def region(self) -> NDArray[np.uint8]:
        """What the network gets to see, BGR, uint8 [h, w, 3]: a view."""
        return self.image[self.rows, self.columns]


@dataclass(frozen=True)
class SegmentedFrame:
    """What can be published of a frame, made when it is first asked for.

    All images have one size. At camera resolution the pixels around the region are unlabelled,
    with confidence 0; at the network's resolution the outputs show the region alone.
    """

    frame: Frame
    result: Segmentation
    """Of the frame's region, labels and confidence of any one size."""

    @property
    def settings(self) -> FrameSettings:
        """The frame's."""
        return self.frame.settings

    @property
    def image(self) -> NDArray[np.uint8]:
        """BGR, uint8 [h, w, 3]; its size may differ from the labels'."""
        return self.frame.region if self.settings.at_input_size else self.frame.image

    @functools.cached_property
    def labels(self) -> NDArray[np.uint8]:
        """Class ids, or `UNLABELLED`, uint8 [H, W]."""
        labels = self.result.labels
        floor = self.settings.confidence_floor
        if floor:
            weak = cv2.compare(self.result.confidence, floor, cv2.CMP_LT)
            labels = np.asarray(cv2.bitwise_or(labels, weak), np.uint8)  # 255 where weak
        return self._placed(labels, UNLABELLED)

    @functools.cached_property
    def confidence(self) -> NDArray[np.uint8]:
        """Probability of the label x 255, uint8 [H, W]."""
        return self._placed(self.result.confidence, 0)

    def _placed(self, part: NDArray[np.uint8], around: int) -> NDArray[np.uint8]:
        """What is known of the region, at the size and place that the settings ask for."""
        if self.settings.at_input_size:
            return part
        frame = self.frame
        part = fit_labels(part, frame.region.shape[:2])
        if part.shape == frame.image.shape[:2]:
            return part
        whole = np.full(frame.image.shape[:2], around, np.uint8)
        whole[frame.rows, frame.columns] = part
        return whole

    @functools.cached_property
    def color(self) -> NDArray[np.uint8]:
        """The labels in their colours, RGB, uint8 [H, W, 3]."""
        return colorize(self.labels, self.settings.palette)

    def draw_overlay(self, out: NDArray[np.uint8]) -> None:
        """Draws the colours over the camera image, RGB, into uint8 [H, W, 3]."""
        image = cv2.cvtColor(self.image, cv2.COLOR_BGR2RGB)
        if image.shape[:2] != self.labels.shape:
            image = cv2.resize(image, self.labels.shape[::-1], interpolation=cv2.INTER_AREA)
        opacity = self.settings.overlay_opacity
        overlay(np.asarray(image, np.uint8), self.color, opacity, out)

    def mask(self, topic: str) -> NDArray[np.uint8]:
        """255 where the label is of a class of the mask, 0 elsewhere, uint8 [H, W]."""
        return np.asarray(cv2.LUT(self.labels, self.settings.masks[topic]), np.uint8)
