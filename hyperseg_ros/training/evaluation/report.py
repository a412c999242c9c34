"""The figures as text, tables and pictures."""

from __future__ import annotations

import csv
from pathlib import Path

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.files import write_text, writing
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.datasets.labelled_images import name_of_image
from hyperseg_ros.training.evaluation.calibration import Calibration
from hyperseg_ros.training.evaluation.evaluate import Figures
from hyperseg_ros.training.pictures import (
    captioned,
    confusion_picture,
    legend,
    row,
    stacked,
    write_picture,
)

FLOORS = (0.5, 0.7, 0.9)
"""Floors of confidence, the node's `min_confidence`, whose effect the report states."""


def report(figures: Figures, classes: ClassTable, title: str) -> str:
    """IoU of each class, mIoU, pixel accuracy and calibration error, in percent, as a table."""
    matrix, calibration = figures.matrix, figures.calibration
    rows = [*zip(classes.names, matrix.iou())]
    rows += [
        ("mIoU", matrix.miou()),
        ("pixel accuracy", matrix.pixel_accuracy()),
        ("calibration error", calibration.error()),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {100 * value:6.2f}" for name, value in rows]
    for floor in FLOORS:
        kept, right = calibration.above(floor)
        lines.append(
            f"confidence from {floor:g} on: {100 * kept:.1f} % of pixels, "
            f"of which {100 * right:.1f} % are right"
        )
    return "\n".join([title, *lines])


def write_report(
    folder: Path,
    text: str,
    figures: Figures,
    images: LabelledImages,
) -> None:
    """Write `report.txt`, `confusion.csv` and `.png`, `calibration.csv`, and `worst.jpg`.

    The table counts pixels, true classes in rows; its last column is for pixels that were given
    none of the classes. The picture shows each row's shares in percent. The worst images stand
    from the worst on, each beside its labels and its prediction.
    """
    folder.mkdir(parents=True, exist_ok=True)
    matrix, worst = figures.matrix, figures.worst
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
    _write_calibration(folder / "calibration.csv", figures.calibration)
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


def _write_calibration(path: Path, calibration: Calibration) -> None:
    """What floors of confidence keep, in steps of 0.05: shares of pixels, 0-1."""
    with (
        writing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(["min_confidence", "pixels kept", "of these right"])
        for step in range(20):
            rows.writerow([step / 20, *calibration.above(step / 20)])
