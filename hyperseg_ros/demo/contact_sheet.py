"""The contact sheet: a few moments of a drive as camera | labels | overlay, with a legend.

Where free space is known, it is the fourth column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.demo.birds_eye import draw_birds_eye, draw_key
from hyperseg_ros.demo.free_space import Scan
from hyperseg_ros.demo.lettering import (
    FAINT_INK,
    INK,
    PAPER,
    draw_legend,
    draw_text,
    fit_text,
    text_extent,
)
from hyperseg_ros.runtime.drawing import colorize

MARGIN = 28
GUTTER = 10
TITLE_SCALE = 0.8
TEXT_SCALE = 0.5
IMAGE_WIDTH = 400
"""Of one image on the sheet."""
HEADINGS = ("camera", "labels", "overlay", "free space")

T = TypeVar("T")


class EvenSamples(Generic[T]):
    """Items spread evenly over a stream whose length nobody knows beforehand.

    Every `stride`-th item is kept; when there are four times as many as wanted, every second one
    is let go and the stride doubles.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._stride = 1
        self._seen = 0
        self._kept: list[T] = []

    def offer(self, make: Callable[[], T]) -> None:
        """Pass the next item of the stream, which is made only if it is kept."""
        if self._seen % self._stride == 0:
            self._kept.append(make())
            if len(self._kept) > 4 * self._count:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._seen += 1

    def samples(self) -> list[T]:
        """At most `count` of the items offered so far, in order, evenly spread."""
        if len(self._kept) <= self._count:
            return list(self._kept)
        picks = np.linspace(0, len(self._kept) - 1, self._count).round().astype(int)
        return [self._kept[pick] for pick in picks]


@dataclass(frozen=True)
class Moment:
    """One row of the sheet.

    Attributes:
        caption: what stands below the row.
        image: the camera's, uint8 [H, W, 3], BGR.
        labels: class ids, uint8 [H, W].
        overlay: uint8 [H, W, 3], BGR.
        scan, true_scan: free space, found and in truth, where they are known.
    """

    caption: str
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    overlay: NDArray[np.uint8]
    scan: Scan | None = None
    true_scan: Scan | None = None

    def scaled(self, width: int, height: int) -> Moment:
        """The moment in another size."""
        size = (width, height)
        return Moment(
            self.caption,
            cv2.resize(self.image, size, interpolation=cv2.INTER_AREA),
            # Between two class ids lie those of other classes.
            cv2.resize(self.labels, size, interpolation=cv2.INTER_NEAREST),
            cv2.resize(self.overlay, size, interpolation=cv2.INTER_AREA),
            self.scan,
            self.true_scan,
        )


@dataclass(frozen=True)
class Layout:
    """Where the images of a contact sheet lie, in pixels."""

    rows: int
    image_width: int
    image_height: int
    columns: int = 3

    title_height: int = 84
    caption_height: int = 26

    @property
    def width(self) -> int:
        """Of the sheet."""
        return 2 * MARGIN + self.columns * self.image_width + (self.columns - 1) * GUTTER

    @property
    def legend_top(self) -> int:
        """Where the rows end and the legend begins."""
        return MARGIN + self.title_height + self.rows * (self.image_height + self.caption_height)

    def image_at(self, row: int, column: int) -> tuple[int, int]:
        """Left and top of an image."""
        left = MARGIN + column * (self.image_width + GUTTER)
        top = MARGIN + self.title_height + row * (self.image_height + self.caption_height)
        return left, top


def draw_contact_sheet(
    moments: Sequence[Moment],
    classes: ClassTable,
    title: str,
    subtitle: str,
    image_width: int = IMAGE_WIDTH,
) -> NDArray[np.uint8]:
    """Draw the sheet.

    Args:
        moments: the rows, at least one; the first one's aspect ratio is that of all.
        classes: their names and colours.
        title, subtitle: the lines at the top.
        image_width: of one image on the sheet.

    Returns:
        uint8 [H, W, 3], BGR.
    """
    height, width = moments[0].image.shape[:2]
    columns = 3 if moments[0].scan is None else 4
    layout = Layout(len(moments), image_width, round(image_width * height / width), columns)
    legend = draw_legend(classes, layout.width - 2 * MARGIN)
    sheet = np.full((layout.legend_top + len(legend) + MARGIN, layout.width, 3), PAPER, np.uint8)

    text_width = layout.width - 2 * MARGIN
    title_line = MARGIN + text_extent("H", TITLE_SCALE).height
    draw_text(sheet, fit_text(title, text_width, TITLE_SCALE), MARGIN, title_line, TITLE_SCALE)
    draw_text(
        sheet,
        fit_text(subtitle, text_width, TEXT_SCALE),
        MARGIN,
        title_line + 26,
        TEXT_SCALE,
        FAINT_INK,
    )
    for column, heading in enumerate(HEADINGS[:columns]):
        left, top = layout.image_at(0, column)
        draw_text(sheet, heading, left, top - 8, TEXT_SCALE, INK)

    palette = classes.palette()[:, ::-1]
    for row, moment in enumerate(moments):
        scaled = moment.scaled(layout.image_width, layout.image_height)
        images = [scaled.image, colorize(scaled.labels, palette), scaled.overlay]
        if moment.scan is not None:
            images.append(_from_above(moment.scan, moment.true_scan, layout))
        for column, image in enumerate(images):
            left, top = layout.image_at(row, column)
            sheet[top : top + layout.image_height, left : left + layout.image_width] = image
        left, top = layout.image_at(row, 0)
        below = top + layout.image_height + 17
        draw_text(sheet, moment.caption, left, below, TEXT_SCALE, FAINT_INK)

    sheet[layout.legend_top : layout.legend_top + len(legend), MARGIN:-MARGIN] = legend
    return sheet


def _from_above(scan: Scan, truth: Scan | None, layout: Layout) -> NDArray[np.uint8]:
    """Free space in the size of one image of the sheet, with the key to its colours."""
    key = draw_key(layout.image_width, TEXT_SCALE)[: layout.image_height // 2]
    height = layout.image_height - len(key)
    picture = draw_birds_eye(scan, truth, layout.image_width, height, TEXT_SCALE)
    return np.vstack([picture, key])
