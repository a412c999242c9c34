"""The picture on a model card's page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.runtime.image_files import read_image, write_image
from hyperseg_ros.runtime.segmenter import Segmenter

_OPACITY = 0.6


def write_picture(model: Path, image: Path, output: Path) -> None:
    """Write an image side by side with itself under the labels that a model file gives it.

    Args:
        model: the model file.
        image: the file of the image.
        output: the picture, `.jpg` or `.png`.

    Raises:
        ValueError: the image does not decode.
    """
    pixels = read_image(image)
    with Segmenter.open(model) as segmenter:
        labels = segmenter(pixels).labels
        palette = segmenter.card.classes.palette()[:, ::-1]
    shown = overlay(pixels, colorize(labels, palette), _OPACITY)
    write_image(output, np.concatenate((pixels, shown), axis=1))
