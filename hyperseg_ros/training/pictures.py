"""Pictures for people: images beside their labels, and a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED, ClassTable
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.runtime.image_files import write_image

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CELL, _MARGIN = 44, 150


def row(
    image: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8] | None,
    classes: ClassTable,
) -> NDArray[np.uint8]:
    """An image, its labels over it, and a prediction over it, side by side.

    Args:
        image: uint8 [H, W, 3] RGB.
        truth, prediction: class ids, uint8 [H, W]; what is unlabelled is dark. A pixel of the
            prediction that has no true label is too, since it counts nowhere.

    Returns:
        uint8 [H, 3 W, 3] RGB; [H, 2 W, 3] without a prediction.
    """
    pictures = [image, _over(image, truth, classes)]
    if prediction is not None:
        counted = np.where(truth == UNLABELLED, np.uint8(UNLABELLED), prediction)
        pictures.append(_over(image, counted, classes))
    return np.concatenate(pictures, axis=1)


def captioned(picture: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """A picture, uint8 [H, W, 3] RGB, with a line of text above it: [H + 20, W, 3]."""
    line = np.full((20, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(line, text, (4, 14), _FONT, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate((line, picture))


def stacked(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures, uint8 [h, w, 3], one below the other, white where one is narrower."""
    width = max(picture.shape[1] for picture in pictures)
    return np.concatenate(
        [
            cv2.copyMakeBorder(
                picture,
                0,
                0,
                0,
                width - picture.shape[1],
                cv2.BORDER_CONSTANT,
                value=(255, 255, 255),
            )
            for picture in pictures
        ]
    )


def in_columns(pictures: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Pictures, uint8 [h, w, 3], row by row in so many columns, white where there is none."""
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * height, min(columns, len(pictures)) * width, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        y, x = index // columns * height, index % columns * width
        sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return sheet


def legend(classes: ClassTable, width: int) -> NDArray[np.uint8]:
    """The classes' names beside their colours, uint8 [h, width, 3] RGB."""
    columns = max(1, width // 160)
    rows = -(-len(classes) // columns)
    picture = np.full((rows * 20 + 4, width, 3), 255, np.uint8)
    for index, (name, color) in enumerate(zip(classes.names, classes.colors)):
        x, y = index % columns * 160 + 4, index // columns * 20 + 4
        cv2.rectangle(picture, (x, y), (x + 14, y + 14), color, -1)
        cv2.putText(picture, name, (x + 20, y + 12), _FONT, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return picture


def confusion_picture(matrix: ConfusionMatrix, classes: ClassTable) -> NDArray[np.uint8]:
    """Each true class a row, the shares of its pixels by predicted class, uint8 [h, w, 3] RGB."""
    counts = matrix.counts.astype(np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = shares[:, : len(classes)]
    side = _MARGIN + len(classes) * _CELL
    picture = np.full((side, side, 3), 255, np.uint8)
    for true, name in enumerate(classes.names):
        corner = _MARGIN + true * _CELL
        cv2.putText(picture, name, (4, corner + 28), _FONT, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        # Names of columns are written sideways: drawn upright on a strip that is then turned.
        strip = np.full((_CELL, _MARGIN, 3), 255, np.uint8)
        cv2.putText(strip, name, (4, 28), _FONT, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        picture[:_MARGIN, corner : corner + _CELL] = np.rot90(strip)
        for said, share in enumerate(shares[true]):
            x = _MARGIN + said * _CELL
            # The square root shows shares of a few percent too.
            shade = int(255 * (1 - share**0.5))
            cv2.rectangle(
                picture, (x, corner), (x + _CELL - 2, corner + _CELL - 2), (shade, shade, 255), -1
            )
            ink = (255, 255, 255) if share > 0.4 else (0, 0, 0)
            text = f"{100 * share:.0f}" if share >= 0.995 else f"{100 * share:.1f}"
            cv2.putText(picture, text, (x + 4, corner + 27), _FONT, 0.4, ink, 1, cv2.LINE_AA)
    return picture


def check_picture_path(path: Path) -> None:
    """Raise ValueError where the path's suffix is none of a kind of picture."""
    if not cv2.haveImageWriter(path.name):
        raise ValueError(f"{path}: pictures are written as .png or .jpg")


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write uint8 [H, W, 3] RGB.

    Raises:
        OSError: it cannot be written.
        ValueError: as `check_picture_path` does.
    """
    check_picture_path(path)
    write_image(path, np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8))


def _over(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], classes: ClassTable
) -> NDArray[np.uint8]:
    return overlay(image, colorize(labels, classes.palette()), 0.65)
