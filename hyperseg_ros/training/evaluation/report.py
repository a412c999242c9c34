"""The figures as text, tables and pictures."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime.files import write_text, writing
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.datasets.labelled_images import name_of_image
from hyperseg_ros.training.evaluation.evaluate import ImageResult
from hyperseg_ros.training.pictures import (
    captioned,
    confusion_picture,
    legend,
    row,
    stacked,
    write_picture,
)


def report(matrix: ConfusionMatrix, classes: ClassTable, title: str) -> str:
    """The IoU of each class, their mean, and the pixel accuracy, in percent, as a table."""
    rows = [*zip(classes.names, matrix.iou())]
    rows += [("mIoU", matrix.miou()), ("pixel accuracy", matrix.pixel_accuracy())]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {100 * value:6.2f}" for name, value in rows]
    return "\n".join([title, *lines])


def write_report(
    folder: Path,
    text: str,
    matrix: ConfusionMatrix,
    images: LabelledImages,
    worst: Sequence[ImageResult],
) -> None:
    """Write `report.txt`, `confusion.csv` and `.png`, and the worst images as `worst.jpg`.

    The table counts pixels, true classes in rows; its last column is for pixels that were given
    none of the classes. The picture shows each row's shares in percent. The worst images stand
    from the worst on, each beside its labels and beside what was said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = images.classes.names
    write_text(folder / "report.txt", text + "\n")
    with (
        writing(folder / "confusion.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(["true \\ predicted", *names, "none"])
        table.writerows([name, *counts] for name, counts in zip(names, matrix.counts.tolist()))
    write_picture(folder / "confusion.png", confusion_picture(matrix, images.classes))
    if worst:
        rows = [
            captioned(
                row(
                    images.images[result.index],
                    images.labels[result.index],
                    result.prediction,
                    images.classes,
                ),
                f"{name_of_image(images, result.index)}   mIoU {100 * result.miou:.1f} %",
            )
            for result in worst
        ]
        rows.append(legend(images.classes, rows[0].shape[1]))
        write_picture(folder / "worst.jpg", stacked(rows))
