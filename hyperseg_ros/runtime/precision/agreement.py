"""How closely the labels of a model in another precision agree with those of the FP32 model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime.resizing import fit_image, fit_labels

Labels = NDArray[np.uint8]
Model = Callable[[NDArray[np.uint8]], Labels]
"""BGR frame at the model's input size, uint8 [H, W, 3], to class ids, uint8 [H, W]."""
Frame = tuple[NDArray[np.uint8], "Labels | None"]
"""BGR image of any size, and its true labels, where known, of the same size."""


@dataclass(frozen=True)
class Agreement:
    """What changed, over all frames that were compared."""

    frames: int
    labels: float
    """Share of pixels with the same label in both, at the model's input size."""
    miou: float | None
    """Of the model compared, over the classes that occur; None where no truth was given."""
    reference_miou: float | None
    """Of the FP32 model, likewise."""

    def __str__(self) -> str:
        text = f"{self.labels:.2%} of the labels equal FP32's on {self.frames} frames"
        if self.miou is not None and self.reference_miou is not None:
            points = 100 * (self.miou - self.reference_miou)
            text += f"; mIoU {self.miou:.2%}, {points:+.2f} points to FP32"
        return text


def compare(
    model: Model, reference: Model, frames: Iterable[Frame], size: tuple[int, int], classes: int
) -> Agreement:
    """Run both models on the frames.

    Args:
        model, reference: what is judged, and the FP32 model.
        frames: images and, where known, truth; ids from `classes` on count as unlabelled.
        size: height and width of the models' input.
        classes: of the model's card.

    Raises:
        ValueError: there are no frames, or truth is not of its image's size.
    """
    same = []
    found, expected = ConfusionMatrix(classes), ConfusionMatrix(classes)
    labelled = False
    for image, truth in frames:
        fitted = fit_image(image, size)
        labels, reference_labels = model(fitted), reference(fitted)
        same.append(float(np.mean(labels == reference_labels)))
        if truth is not None:
            labelled = True
            truth = np.where(truth < classes, truth, UNLABELLED).astype(np.uint8)
            found.update(truth, fit_labels(labels, truth.shape))
            expected.update(truth, fit_labels(reference_labels, truth.shape))
    if not same:
        raise ValueError("there are no frames to compare on")
    return Agreement(
        len(same),
        float(np.mean(same)),
        found.miou() if labelled else None,
        expected.miou() if labelled else None,
    )
