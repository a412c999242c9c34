"""The outputs of a segmented frame: topic, message type, and what makes the message's fields."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.frames.messages import (
    CLASS_MASKS,
    COMPRESSED_IMAGE,
    IMAGE,
    Fields,
    class_masks_fields,
    image_fields,
    png_fields,
)

OUTPUTS = (
    "label",
    "confidence",
    "label_info",
    "camera_info",
    "masks",
    "mask",
    "color",
    "overlay",
    "free_space",
    "points",
)
"""What may be asked for; `mask` stands for one topic a class and a group, `free_space` for two."""

Canvas = Callable[[tuple[int, ...]], NDArray[np.uint8]]
"""Gives the memory for pixels of a shape, uint8, C-contiguous."""


def new_canvas(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """New memory for the pixels of each message."""
    return np.empty(shape, np.uint8)


@dataclass(frozen=True)
class Output:
    """One topic of those that need the network."""

    name: str
    """Of the topic, below `<namespace>/segmentation/`."""
    type: str
    """Of the message, such as sensor_msgs/msg/Image."""
    fields: Callable[[SegmentedFrame, Canvas], Fields]
    """Makes the message's fields, without the header; pixels are drawn into a canvas."""


def outputs(
    classes: ClassTable, names: Collection[str], mask_topics: Iterable[str]
) -> Iterator[Output]:
    """The outputs that need the network.

    Args:
        classes: of the model.
        names: some of `OUTPUTS`.
        mask_topics: the masks of `FrameSettings`.
    """
    mono: dict[str, Callable[[SegmentedFrame], NDArray[np.uint8]]] = {}
    if "label" in names:
        mono["label"] = lambda frame: frame.labels
    if "confidence" in names:
        mono["confidence"] = lambda frame: frame.confidence
    if "mask" in names:
        mono |= {topic: operator.methodcaller("mask", topic) for topic in mask_topics}
    for name, pixels in mono.items():
        yield Output(name, IMAGE, _image(pixels, "mono8"))
        png = _png(pixels, gradual=name == "confidence")
        yield Output(f"{name}/compressed", COMPRESSED_IMAGE, png)
    if "masks" in names:
        yield Output("masks", CLASS_MASKS, lambda frame, _: class_masks_fields(frame, classes))
    if "color" in names:
        yield Output("color", IMAGE, _image(lambda frame: frame.color, "rgb8"))
    if "overlay" in names:
        yield Output("overlay", IMAGE, _overlay)


def _image(
    pixels: Callable[[SegmentedFrame], NDArray[np.uint8]], encoding: str
) -> Callable[[SegmentedFrame, Canvas], Fields]:
    def fields(frame: SegmentedFrame, canvas: Canvas) -> Fields:
        drawn = pixels(frame)
        target = canvas(drawn.shape)
        np.copyto(target, drawn)
        return image_fields(target, encoding)

    return fields


def _overlay(frame: SegmentedFrame, canvas: Canvas) -> Fields:
    target = canvas((*frame.labels.shape, 3))
    frame.draw_overlay(target)
    return image_fields(target, "rgb8")


def _png(
    pixels: Callable[[SegmentedFrame], NDArray[np.uint8]], gradual: bool
) -> Callable[[SegmentedFrame, Canvas], Fields]:
    return lambda frame, _: png_fields(pixels(frame), gradual)
