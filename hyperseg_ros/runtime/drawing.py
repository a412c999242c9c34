"""Labels as colours, for people to look at."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def colorize(labels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colour of each pixel's class.

    Args:
        labels: class ids, uint8 [H, W].
        palette: a colour an id, uint8 [256, 3].

    Returns:
        uint8 [H, W, 3], channels in the order of the palette's.
    """
    color_map = np.ascontiguousarray(palette)[:, None]
    return np.asarray(cv2.applyColorMap(labels, color_map), np.uint8)


def overlay(
    image: NDArray[np.uint8],
    colors: NDArray[np.uint8],
    opacity: float,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Blend the colours of the classes over the image they belong to.

    Args:
        image, colors: uint8 [H, W, 3], both with the same order of channels.
        opacity: of the colours, 0 to 1.
        out: where to draw, if not into new memory; of the shape of `image`, C-contiguous.
    """
    blend = cv2.addWeighted(image, 1.0 - opacity, colors, opacity, 0.0, dst=out)
    return np.asarray(blend, np.uint8)
