"""The boundary of the ground: along each line outwards, the first pixels that are not ground."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.geometry.ground_view import GroundView
from hyperseg_ros.geometry.lens import Array


@dataclass(frozen=True)
class Boundary:
    """What the samples of each line of a `GroundView` say; arrays are [B]."""

    ranges: Array
    """Metres to the boundary; inf, -inf and nan as in `FreeSpace.ranges`."""
    reach: Array
    """Metres up to which the ground is seen to be free; -inf where none is."""
    seen_from: Array
    """Metres from which on the ground is in view; inf where none is within the longest range."""
    sample: NDArray[np.intp]
    """The first sample that is not ground; the first in view where all are."""


def find_boundary(
    view: GroundView,
    in_view: NDArray[np.bool_],
    known: NDArray[np.bool_],
    evidence: NDArray[np.uint8],
    even: int,
    run: int,
) -> Boundary:
    """Finds the first run of samples along each line that are not ground.

    Args:
        view: where the samples are.
        in_view: which samples count, [B, K].
        known: which of these are labelled, [B, K].
        evidence: of ground, [B, K]; below `even` a sample is not ground.
        even: evidence at the boundary itself.
        run: samples in a row that make an obstacle, or the end of what is known.
    """
    count = evidence.shape[1]
    each = np.arange(len(evidence))
    blocked = known & (evidence < even)
    start = np.argmax(in_view, axis=1)
    before = np.arange(count) < start[:, None]
    # Towards the end of the view, an obstacle's run may leave it.
    unknown = ~known
    begins = _begins_run(blocked | unknown, run)
    hit = _first(blocked & begins)
    end = _first(unknown & begins & ~before)
    visible = in_view[each, start] & (view.ranges[each, start] < view.max_range)
    obstacle = visible & (hit < count) & (hit <= end)
    last = np.clip(np.minimum(hit, end) - 1, 0, count - 1)
    reach = np.where(obstacle, _crossing(view.ranges, evidence, hit, even), view.ranges[each, last])
    near, far = obstacle & (hit <= start), reach >= view.max_range
    reach = np.where(visible & ~near, np.minimum(reach, view.max_range), -np.inf)
    ranges = np.where(obstacle, reach, np.nan)
    ranges[near] = -np.inf
    ranges[far & visible & ~near] = np.inf
    return Boundary(
        ranges=ranges,
        reach=reach,
        seen_from=np.where(visible, view.ranges[each, start], np.inf),
        sample=np.where(obstacle & ~far, np.minimum(hit, count - 1), start),
    )


def _begins_run(mask: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """From where on a mask [B, K] holds `length` times; beyond the last sample all are as it."""
    whole = cv2.erode(
        mask.view(np.uint8),
        np.ones((1, length), np.uint8),
        anchor=(0, 0),
        borderType=cv2.BORDER_REPLICATE,
    )
    return whole.view(np.bool_)


def _first(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The first that holds of each row of [B, K]; K where none does."""
    first = mask.argmax(axis=1)
    return np.where(mask[np.arange(len(mask)), first], first, mask.shape[1])


def _crossing(
    ranges: NDArray[np.float32],
    evidence: NDArray[np.uint8],
    hit: NDArray[np.intp],
    even: int,
) -> Array:
    """Where, between the last sample of ground and the first that is not, evidence is even, [B]."""
    each = np.arange(len(hit))
    far = np.clip(hit, 1, ranges.shape[1] - 1)
    above = np.maximum(evidence[each, far - 1] - even, 0)
    below = np.maximum(even - evidence[each, far], 0)
    share = above / np.maximum(above + below, 1)
    before = ranges[each, far - 1]
    return before + share * (ranges[each, far] - before)
