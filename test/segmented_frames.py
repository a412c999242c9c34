"""Frames of one colour with labels that a test makes up."""

from __future__ import annotations

import numpy as np

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.frames.frame import Frame, SegmentedFrame
from hyperseg_ros.frames.settings import FrameSettings, masks, palette
from hyperseg_ros.runtime import Segmentation

HEIGHT, WIDTH = 240, 320
COLOR = (10, 20, 30)
"""BGR of every pixel."""
CONFIDENCE = 250


def frame_of(
    labels: np.ndarray, rows=slice(0, HEIGHT), columns=slice(0, WIDTH), at_input_size=False
) -> SegmentedFrame:
    """A frame of `HEIGHT` x `WIDTH` with these labels, uint8 of that size.

    Args:
        labels: of any size if `at_input_size`.
        rows, columns: the region of interest.
        at_input_size: whether labels keep the size of the network's input.
    """
    image = np.full((HEIGHT, WIDTH, 3), COLOR, np.uint8)
    settings = FrameSettings(palette(CAMVID), masks(CAMVID), at_input_size=at_input_size)
    part = labels if at_input_size else labels[rows, columns]
    result = Segmentation(part, np.full_like(part, CONFIDENCE), 0.0, 0.0, 0.0)
    return SegmentedFrame(Frame(image, rows, columns, settings), result)
