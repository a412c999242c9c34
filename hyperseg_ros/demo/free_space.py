"""Free space against the truth: how far off the ranges are along each bearing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STEP = 0.0087
"""Radians between two bearings, and that each of them is wide."""
BEARINGS: NDArray[np.float64] = np.arange(-58, 59, dtype=np.float64) * STEP
"""Radians from straight ahead to the left, wider than the simulated camera's view."""
MAX_RANGE = 15.0
"""Metres."""
TRUTH_EVERY = 3
"""Frames from one with the truth to the next: it takes the simulation longer than the picture."""
MISSED = 1.0
"""Metres beyond the truth from which on an obstacle counts as missed."""


@dataclass(frozen=True)
class Scan:
    """Metres to the first thing that is not ground; arrays are [B]."""

    bearings: NDArray[np.float64]
    """Radians from straight ahead to the left."""
    ranges: NDArray[np.float32]
    """As REP 117 has them: inf for none up to `MAX_RANGE`, -inf for one nearer than the image
    shows, nan for unknown."""


class RangeError(NamedTuple):
    """Free space against the truth, over all frames that have it."""

    p50: float
    """Median of |range - truth| / truth where both are finite."""
    p90: float
    missed: float
    """Share of the bearings in view on which free space is reported `MISSED` or more too far."""
    bearings: int
    """Bearings in view."""


class RangeErrors:
    """Accumulates over frames."""

    def __init__(self) -> None:
        self._errors: list[NDArray[np.float64]] = []
        self._missed = 0
        self._bearings = 0

    def add(self, found: Scan, truth: Scan) -> None:
        """Adds a frame.

        Raises:
            ValueError: the bearings are not the same.
        """
        if found.bearings.shape != truth.bearings.shape or not np.allclose(
            found.bearings, truth.bearings, atol=STEP / 4
        ):
            raise ValueError("free space and its truth are along other bearings")
        ranges, exact = found.ranges.astype(np.float64), truth.ranges.astype(np.float64)
        both = np.isfinite(exact) & np.isfinite(ranges)
        self._errors.append(np.abs(ranges[both] - exact[both]) / exact[both])
        free_to = np.minimum(ranges, MAX_RANGE)
        self._missed += int((free_to >= exact + MISSED).sum())
        self._bearings += int((~np.isnan(ranges)).sum())

    def summary(self) -> RangeError | None:
        """The figures; None before the first obstacle."""
        errors = np.concatenate([*self._errors, np.empty(0)])
        if not len(errors):
            return None
        p50, p90 = np.percentile(errors, [50, 90])
        return RangeError(float(p50), float(p90), self._missed / self._bearings, self._bearings)
