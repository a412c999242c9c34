"""What a robot camera's troubles cost: mIoU by corruption and severity, on any data set."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.files import writing
from hyperseg_ros.lazy_sequence import LazySequence
from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.training.corruptions import corrupt
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.evaluation.evaluate import evaluate
from hyperseg_ros.training.evaluation.labellers import Labeller
from hyperseg_ros.training.pictures import captioned, in_columns, legend, stacked, write_picture

_CELL_WIDTH = 240


@dataclass
class Robustness:
    """mIoU, 0-1, on images of a camera in trouble.

    Attributes:
        miou: by corruption and severity.
        shown: an image of each, with its labels over it, uint8 [H, W, 3] RGB.
    """

    miou: dict[str, dict[int, float]] = field(default_factory=dict)
    shown: dict[tuple[str, int], NDArray[np.uint8]] = field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """The mean over the severities of each corruption, and over all corruptions, "mean"."""
        means = {name: float(np.mean(list(by.values()))) for name, by in self.miou.items()}
        return {**means, "mean": float(np.mean(list(means.values())))}


def measure(
    labeller: Labeller,
    images: LabelledImages,
    num_classes: int,
    corruptions: Sequence[str],
    severities: Sequence[int],
) -> Iterator[Robustness]:
    """Evaluate the set under each corruption and severity; the same for the same arguments.

    Args:
        labeller, images, num_classes: as `evaluate` takes them.
        corruptions: names, of `training.corruptions`.
        severities: 1 to 5.

    Yields:
        What there is so far, after each corruption.
    """
    found = Robustness()
    middle = len(images) // 2
    for name in corruptions:
        found.miou[name] = {}
        for severity in severities:
            pictures = _corrupted(images.images, name, severity)
            title = f"{images.name}, {name} {severity}"
            corrupted = LabelledImages(title, pictures, images.labels, images.classes)
            figures = evaluate(labeller, corrupted, num_classes)
            found.miou[name][severity] = figures.matrix.miou()
            picture = pictures[middle]
            found.shown[name, severity] = _shown(picture, labeller, images.classes)
        yield found


def _corrupted(
    images: Sequence[NDArray[np.uint8]], name: str, severity: int
) -> Sequence[NDArray[np.uint8]]:
    """Images under a corruption, each by a randomness of its own, made when they are looked at."""

    def corrupted(index: int) -> NDArray[np.uint8]:
        seed = (zlib.crc32(name.encode()), severity, index)
        return corrupt(images[index], name, severity, np.random.default_rng(seed))

    return LazySequence(range(len(images)), corrupted)


def table(found: Robustness, clean: float) -> str:
    """The figures in percent, a line a corruption, a column a severity.

    Args:
        found: the figures.
        clean: mIoU of the images as they are, 0-1.
    """
    severities = list(next(iter(found.miou.values())))
    width = max(map(len, (*found.miou, "corruption")))
    means = found.means()
    lines = [
        f"{'corruption':<{width}}  {'  '.join(f'{severity:>5}' for severity in severities)}   mean"
    ]
    for name, by_severity in found.miou.items():
        cells = [*by_severity.values(), means[name]]
        lines.append(f"{name:<{width}}  {'  '.join(f'{100 * miou:5.1f}' for miou in cells)}")
    lines.append(f"mean {100 * means['mean']:.1f}, without corruption {100 * clean:.1f}")
    return "\n".join(lines)


def write_robustness(folder: Path, found: Robustness, classes: ClassTable) -> None:
    """Write `corruptions.csv`, mIoU 0-1, and a picture of each as `corruptions.jpg`."""
    severities = list(next(iter(found.miou.values())))
    with (
        writing(folder / "corruptions.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(["corruption", *severities])
        rows.writerows([name, *by_severity.values()] for name, by_severity in found.miou.items())
    cells = [
        captioned(picture, f"{name} {severity}: {100 * found.miou[name][severity]:.1f} %")
        for (name, severity), picture in found.shown.items()
    ]
    sheet = in_columns(cells, len(severities))
    write_picture(folder / "corruptions.jpg", stacked([sheet, legend(classes, sheet.shape[1])]))


def _shown(image: NDArray[np.uint8], labeller: Labeller, classes: ClassTable) -> NDArray[np.uint8]:
    labelled = overlay(image, colorize(labeller(image).labels, classes.palette()), 0.65)
    height = round(_CELL_WIDTH * image.shape[0] / image.shape[1])
    both = [
        cv2.resize(part, (_CELL_WIDTH, height), interpolation=cv2.INTER_AREA)
        for part in (image, labelled)
    ]
    return np.concatenate(both).astype(np.uint8)
