"""Text and legend for the demo's pictures, with what every OpenCV can draw."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable

PAPER = (255, 255, 255)
INK = (40, 36, 32)
FAINT_INK = (128, 120, 112)
FONT = cv2.FONT_HERSHEY_SIMPLEX


class Extent(NamedTuple):
    """Pixels that a line of text takes."""

    width: int
    height: int
    """Of a capital letter, above the baseline."""


def text_extent(text: str, scale: float) -> Extent:
    """The room `text` takes at `scale`."""
    (width, _), _ = cv2.getTextSize(text, FONT, scale, 1)
    (_, height), _ = cv2.getTextSize("H", FONT, scale, 1)
    return Extent(width, height)


def draw_text(
    picture: NDArray[np.uint8],
    text: str,
    left: int,
    baseline: int,
    scale: float,
    color: tuple[int, int, int] = INK,
) -> None:
    """Write `text` into a BGR picture; what OpenCV's fonts do not have becomes `?`."""
    ascii_text = text.encode("ascii", "replace").decode("ascii")
    cv2.putText(picture, ascii_text, (left, baseline), FONT, scale, color, 1, cv2.LINE_AA)


def fit_text(text: str, width: int, scale: float) -> str:
    """`text` if it is at most `width` pixels wide, or as much of its end as fits after `...`."""
    if text_extent(text, scale).width <= width:
        return text
    start = next(
        (i for i in range(len(text)) if text_extent("..." + text[i:], scale).width <= width),
        len(text),
    )
    return "..." + text[start:]


def draw_legend(classes: ClassTable, width: int, scale: float = 0.5) -> NDArray[np.uint8]:
    """Every class name beside a patch of its colour, in as many equal columns as fit.

    Args:
        classes: names and colours.
        width: of the legend in pixels.
        scale: of the text.

    Returns:
        uint8 [H, width, 3], BGR; its height follows from the number of lines.
    """
    capital = text_extent("H", scale).height
    swatch = round(1.5 * capital)
    line = round(1.6 * swatch)
    entry = 7 * swatch // 5 + max(text_extent(name, scale).width for name in classes.names)
    columns = max(1, min(len(classes), (width + swatch) // (entry + swatch)))
    lines = -(-len(classes) // columns)
    columns = -(-len(classes) // lines)
    legend = np.full((lines * line, width, 3), PAPER, np.uint8)
    for index, (name, color) in enumerate(zip(classes.names, classes.colors)):
        row, column = divmod(index, columns)
        left = column * width // columns
        top = row * line + (line - swatch) // 2
        cv2.rectangle(legend, (left, top), (left + swatch, top + swatch), color[::-1], cv2.FILLED)
        draw_text(legend, name, left + 7 * swatch // 5, top + (swatch + capital) // 2, scale)
    return legend
