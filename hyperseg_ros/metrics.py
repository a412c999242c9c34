"""Segmentation metrics accumulated over a complete split, not averaged over images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED


class ConfusionMatrix:
    """Counts of pixels by true and predicted class.

    A pixel whose truth is `UNLABELLED` counts nowhere. A labelled pixel that is predicted as
    `UNLABELLED`, or as an id beyond the table, is a miss of its true class.

    Args:
        num_classes: classes, 1 to 255.

    Attributes:
        counts: pixels by true class and predicted one, int64 [C, C + 1]; the last column is for
            those predicted as none of the classes. Adding two matrices' counts joins them.
    """

    def __init__(self, num_classes: int) -> None:
        if not 1 <= num_classes <= UNLABELLED:
            raise ValueError(f"num_classes must be 1 to {UNLABELLED}, not {num_classes}")
        self.num_classes = num_classes
        self.counts = np.zeros((num_classes, num_classes + 1), np.int64)

    @property
    def matrix(self) -> NDArray[np.int64]:
        """Pixels by true class (row) and predicted class (column), int64 [C, C]."""
        return self.counts[:, :-1]

    def update(self, truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
        """Add the pixels of one or more images.

        Args:
            truth: class ids 0 to C - 1, or `UNLABELLED`; uint8, any shape.
            prediction: class ids; uint8, the shape of `truth`.

        Raises:
            ValueError: shapes or types differ from this, or `truth` holds an id beyond the table.
        """
        if truth.dtype != np.uint8 or prediction.dtype != np.uint8:
            raise ValueError(f"labels must be uint8, not {truth.dtype} and {prediction.dtype}")
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape} but prediction is {prediction.shape}")
        pairs = np.bincount(
            (truth.astype(np.uint16) << 8 | prediction).ravel(), minlength=1 << 16
        ).reshape(256, 256)
        beyond = np.flatnonzero(pairs[self.num_classes : UNLABELLED].any(axis=1))
        if beyond.size:
            raise ValueError(
                f"truth holds class id {beyond[0] + self.num_classes}; valid ids are "
                f"0 to {self.num_classes - 1}, and {UNLABELLED} for unlabelled"
            )
        rows = pairs[: self.num_classes]
        self.counts[:, :-1] += rows[:, : self.num_classes]
        self.counts[:, -1] += rows[:, self.num_classes :].sum(axis=1)

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class, float64 [C]; nan where it never occurred."""
        intersection = np.diagonal(self.matrix)
        union = self.counts.sum(axis=1) + self.matrix.sum(axis=0) - intersection
        iou: NDArray[np.float64] = np.full(self.num_classes, np.nan)
        np.divide(intersection, union, out=iou, where=union > 0)
        return iou

    def miou(self) -> float:
        """Mean IoU over the classes that occurred; nan before any did."""
        iou = self.iou()
        present = ~np.isnan(iou)
        return float(iou[present].mean()) if present.any() else float("nan")

    def pixel_accuracy(self) -> float:
        """Share of labelled pixels predicted right; nan before there is any."""
        total = self.counts.sum()
        return float(np.trace(self.matrix) / total) if total else float("nan")
