"""Whether confidence means something: how often pixels of a confidence are right.

The expected calibration error is that of Guo et al. (ICML 2017), over bins of equal width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED

_BINS = 15
_LEVELS = 256


class Calibration:
    """Counts pixels by the confidence of their label, and how many of them are right.

    A pixel whose truth is `UNLABELLED` counts nowhere.

    Attributes:
        pixels, right: pixels of each confidence from 0 to 255, int64 [256]; of these, those whose
            label is true.
    """

    def __init__(self) -> None:
        self.pixels = np.zeros(_LEVELS, np.int64)
        self.right = np.zeros(_LEVELS, np.int64)

    def update(
        self,
        truth: NDArray[np.uint8],
        prediction: NDArray[np.uint8],
        confidence: NDArray[np.uint8],
    ) -> None:
        """Add an image: class ids and confidences x 255, uint8 [H, W] each."""
        labelled = truth != UNLABELLED
        levels, true = confidence[labelled], (prediction == truth)[labelled]
        self.pixels += np.bincount(levels, minlength=_LEVELS)
        self.right += np.bincount(levels[true], minlength=_LEVELS)

    def error(self) -> float:
        """The expected calibration error, 0-1; nan before there is a labelled pixel.

        In each bin of confidence the difference between the mean confidence and the share of
        pixels that are right; their mean, weighted by pixels.
        """
        total = self.pixels.sum()
        if not total:
            return float("nan")
        bins = np.minimum(np.arange(_LEVELS) * _BINS // (_LEVELS - 1), _BINS - 1)
        confident = np.bincount(bins, self.pixels * np.arange(_LEVELS) / (_LEVELS - 1))
        right = np.bincount(bins, self.right)
        return float(np.abs(confident - right).sum() / total)

    def above(self, confidence: float) -> tuple[float, float]:
        """What a floor of confidence, 0-1, keeps: the share of pixels, and of these the right ones.

        It is what the node's `min_confidence` does. Shares are 0-1; nan where there are no pixels.
        """
        kept = np.arange(_LEVELS) >= confidence * (_LEVELS - 1)
        pixels, right = int(self.pixels[kept].sum()), int(self.right[kept].sum())
        total = int(self.pixels.sum())
        return (
            pixels / total if total else float("nan"),
            right / pixels if pixels else float("nan"),
        )
