"""Which frames are worth labelling: uncertain, unsteady, rare, and unlike each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LOOK_SIZE = (6, 8)
"""Rows and columns of the thumbnail that two frames are compared by."""
FLOW_HEIGHT = 120
"""Rows of the images that motion is measured between."""
TRACKABLE = 1.0
"""Pixels that motion there and back may miss the start by, at `FLOW_HEIGHT`."""


@dataclass(frozen=True)
class Candidate:
    """A frame that could be labelled.

    Attributes:
        recording, camera: number of the recording, and of the camera in it.
        time: when it was received, nanoseconds.
        uncertainty: one minus the mean confidence, 0 to 1.
        disagreement: share of the pixels that can be tracked whose label differs from the frame
            before, 0 to 1.
        shares: share of the pixels of each class, float32 [classes].
        look: what it looks like, float32 [features].
    """

    recording: int
    camera: int
    time: int
    uncertainty: float
    disagreement: float
    shares: NDArray[np.float32]
    look: NDArray[np.float32]


def scores(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """How much a label of each candidate is likely to teach, 0 to 1, float64 [candidates].

    The mean of the ranks by uncertainty, by disagreement, and by the information (negative
    logarithm of the frequency) of the classes in it: ranks, since the three have no common unit.
    """
    shares = np.stack([candidate.shares for candidate in candidates]).astype(np.float64)
    information = -np.log(np.maximum(shares.mean(axis=0), 1e-6))
    # The square root, so that a few pixels of a pedestrian count beside half an image of road.
    rarity = np.sqrt(shares) @ information
    columns = (
        [candidate.uncertainty for candidate in candidates],
        [candidate.disagreement for candidate in candidates],
        rarity,
    )
    return np.mean([_ranks(np.asarray(column)) for column in columns], axis=0)


def select(
    candidates: Sequence[Candidate], count: int, apart: float = 1.0, variety: float = 1.0
) -> list[int]:
    """The candidates to label, best first.

    Greedy: each time the one whose score, plus `variety` times its distance in look from the
    nearest chosen one, is highest. So a good frame that is like a chosen one has to wait.

    Args:
        candidates: to choose from.
        count: how many; fewer come where too few are far enough apart in time.
        apart: least time between two of the same camera, seconds.
        variety: how much an own look counts beside the score.

    Returns:
        Their indices.
    """
    if not candidates:
        return []
    score = scores(candidates)
    looks = np.stack([candidate.look for candidate in candidates])
    cameras = np.array([(c.recording, c.camera) for c in candidates])
    times = np.array([c.time for c in candidates], np.int64)
    free = np.ones(len(candidates), bool)
    distance = np.ones(len(candidates))
    largest = max(float(np.linalg.norm(looks - looks.mean(axis=0), axis=1).max()), 1e-9)
    chosen: list[int] = []
    while len(chosen) < count and free.any():
        best = int(np.argmax(np.where(free, score + variety * distance, -np.inf)))
        chosen.append(best)
        near = (cameras == cameras[best]).all(axis=1) & (abs(times - times[best]) < apart * 1e9)
        free &= ~near
        free[best] = False
        away = np.linalg.norm(looks - looks[best], axis=1) / largest
        distance = np.minimum(distance, away)
    return chosen


def look_of(image: NDArray[np.uint8], shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a frame looks like: a thumbnail in Lab, and its classes.

    Args:
        image: BGR, uint8 [H, W, 3].
        shares: share of the pixels of each class, float32 [classes].

    Returns:
        float32 [6 * 8 * 3 + classes], each part with values from about 0 to 1.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    thumbnail = cv2.resize(lab, LOOK_SIZE[::-1], interpolation=cv2.INTER_AREA)
    parts = (thumbnail.ravel() / np.float32(255) / np.sqrt(thumbnail.size), np.sqrt(shares))
    return np.concatenate(parts).astype(np.float32)


class Steadiness:
    """How much the labels of a camera change from frame to frame where the scene does not.

    Motion is followed both ways at a small size; pixels that do not come back to where they were,
    because something hides them or nothing is there to be followed, count nowhere.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._before: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None

    def disagreement(self, image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
        """Share of the trackable pixels whose label differs from the last frame's, 0 to 1.

        Args:
            image: BGR, uint8 [H, W, 3].
            labels: uint8 of any size.
        """
        height, width = image.shape[:2]
        size = (max(16, round(width * FLOW_HEIGHT / height)), FLOW_HEIGHT)
        shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(shrunk, cv2.COLOR_BGR2GRAY), np.uint8)
        small = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        before, self._before = self._before, (grey, small)
        if before is None or before[0].shape != grey.shape:
            return 0.0
        back = self._flow.calc(grey, before[0], None)
        there = self._flow.calc(before[0], grey, None)
        x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in size))
        from_x, from_y = x + back[..., 0], y + back[..., 1]
        returned = cv2.remap(there, from_x, from_y, cv2.INTER_LINEAR, borderValue=(1e6, 1e6))
        miss = np.linalg.norm(back + returned, axis=-1)
        trackable = miss < TRACKABLE
        if not trackable.any():
            return 0.0
        earlier = cv2.remap(before[1], from_x, from_y, cv2.INTER_NEAREST)
        return float((earlier != small)[trackable].mean())


def class_shares(labels: NDArray[np.uint8], classes: int) -> NDArray[np.float32]:
    """The share of the pixels of each class, float32 [classes]."""
    counts = np.bincount(labels.ravel(), minlength=256)[:classes]
    return (counts / labels.size).astype(np.float32)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for the lowest to 1 for the highest; equal values share their mean rank."""
    order = values.argsort(kind="stable")
    ranks = np.empty(len(values))
    ranks[order] = np.arange(len(values))
    _, group = np.unique(values, return_inverse=True)
    means = np.bincount(group, ranks) / np.bincount(group)
    return means[group] / max(1, len(values) - 1)
