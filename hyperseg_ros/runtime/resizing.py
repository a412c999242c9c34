"""From an image's size to the model's and back: one way, for deployment and for validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def fit_image(
    image: NDArray[np.uint8], size: Sequence[int], out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """An image at a model's input size.

    Args:
        image: uint8 [H, W, 3], of any size and memory layout.
        size: height and width of the input, pixels.
        out: uint8 [*size, 3], C-contiguous: where to write an image that must be resized.

    Returns:
        uint8 [*size, 3], C-contiguous; `image` itself where it is that already.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    if image.strides[1:] != (3, 1):
        image = np.ascontiguousarray(image)
    image = _halve_while_larger(image, height, width)
    fitted = cv2.resize(image, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
    return np.asarray(fitted, np.uint8)


def fit_labels(labels: NDArray[np.uint8], size: Sequence[int]) -> NDArray[np.uint8]:
    """Labels or confidence at another size, each pixel from the nearest one.

    Args:
        labels: uint8 [H, W].
        size: height and width wanted, pixels.

    Returns:
        uint8 [*size]; `labels` itself where it is of that size.
    """
    if labels.shape == tuple(size):
        return labels
    height, width = size
    # Columns first, pixel by pixel; a row is then copied as a whole, which is faster.
    wide = np.asarray(_nearest(labels, labels.shape[0], width), np.uint8)
    rows = _nearest(np.arange(labels.shape[0], dtype=np.uint16)[:, None], height, 1)[:, 0]
    return np.take(wide, rows, axis=0)


def _nearest(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    # NEAREST_EXACT samples at pixel centres, as the linear resize on the way in does.
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _halve_while_larger(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Average blocks of 2 x 2 pixels while both sides stay at least this long.

    Linear interpolation alone looks at four pixels for each it makes, so it would skip most of a
    large image and thin things would flicker. Halving costs a tenth of one resize over areas.
    """
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        rows, columns = image.shape[0] // 2, image.shape[1] // 2
        even = image[: 2 * rows, : 2 * columns]
        image = np.asarray(
            cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8
        )
    return image
