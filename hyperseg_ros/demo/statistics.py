"""What is known of a drive from the frames that came back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.demo.free_space import RangeErrors
from hyperseg_ros.metrics import ConfusionMatrix


class Latency(NamedTuple):
    """Percentiles of the time from a frame's stamp to the arrival of its labels, in ms."""

    p50: float
    p95: float
    maximum: float


class DriveStatistics:
    """Accumulates over frames; nothing of a frame is kept."""

    def __init__(self, classes: ClassTable) -> None:
        self.frames = 0
        """Frames added."""
        self.confusion = ConfusionMatrix(len(classes))
        """Of the pixels that have ground truth, over all frames."""
        self.range_errors = RangeErrors()
        """Of free space, where its truth is known."""
        self._pixels = np.zeros(256, np.int64)
        self._confidence_sum = 0
        self._latencies_ms: list[float] = []

    def add(
        self,
        labels: NDArray[np.uint8],
        confidence: NDArray[np.uint8],
        latency_ms: float,
        truth: NDArray[np.uint8] | None = None,
    ) -> None:
        """Add a frame.

        Args:
            labels: class ids as they came back, uint8 [H, W].
            confidence: 255 is certain, uint8 [H, W].
            latency_ms: from stamp to arrival.
            truth: class ids, `UNLABELLED` where unknown, uint8 [H, W]; None without ground truth.
        """
        self.frames += 1
        self._pixels += np.bincount(labels.ravel(), minlength=256)
        self._confidence_sum += int(confidence.sum(dtype=np.int64))
        self._latencies_ms.append(latency_ms)
        if truth is not None:
            self.confusion.update(truth, labels)

    def class_shares(self) -> NDArray[np.float64]:
        """Share of all pixels with each class, float64 [C]; nan before the first frame."""
        shares = self._pixels[: self.confusion.num_classes]
        total = self._pixels.sum()
        return shares / total if total else np.full(len(shares), np.nan)

    def mean_confidence(self) -> float:
        """Mean over all pixels, 0 to 1; nan before the first frame."""
        total = int(self._pixels.sum())
        return self._confidence_sum / (255 * total) if total else float("nan")

    def latency(self) -> Latency | None:
        """Latency over all frames; None before the first."""
        if not self._latencies_ms:
            return None
        p50, p95 = np.percentile(self._latencies_ms, [50, 95])
        return Latency(float(p50), float(p95), max(self._latencies_ms))
