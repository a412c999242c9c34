"""Steady labels: evidence of each pixel is carried along the optical flow from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED

Plane = NDArray[np.uint8]

SHRINK = 2
"""Pixels of the labels, each way, to one of the images that the flow is computed on."""
SMALLEST = 32
"""Pixels of the shorter side that OpenCV's flow needs."""
SUREST = 5
"""A label weighs its probability to this power: doubt weighs little."""
SURE = 0.7
"""Probability from which two frames that agree overrule whatever was before."""
STRANGE = 14
"""Grey levels by which a pixel may differ from where the flow says it was."""
NEW_SCENE = 0.5
"""Share of strange pixels from which on the scene is another one."""
LONGEST_GAP = 0.6
"""Seconds between two frames that belong together, at most."""
SLOWER = 2.5
"""Times by which a frame may come later than the one before did, at most."""
MOST_KEPT = 0.9
"""The largest share of the past that a filter may keep."""


@dataclass
class _Memory:
    """What is known of the frame before, all of one size but for the grey image."""

    size: tuple[int, ...]
    """Of the image as it came, height and width."""
    grey: Plane
    time: float
    period: float | None
    """Seconds between the two frames before; None after the first."""
    label: Plane
    weight: Plane
    rival: Plane
    """The label that would be next."""
    rival_weight: Plane
    raw: Plane
    """What the network said."""


class TemporalFilter:
    """Keeps a camera's labels from flickering.

    Each pixel has a label and a rival, each with a weight that fades by a constant share a frame;
    the network's label adds to its own, and where the rival outweighs the label they change places
    (a majority vote in an exponential window). Both are carried along the optical flow (Kroeger et
    al., "Fast optical flow using dense inverse search", ECCV 2016), and forgotten where the images
    say that the flow is wrong. A label of which the network is sure in two frames running holds at
    once, so what is new and sure lags by a frame at most.

    Args:
        kept: share of the weights that stays from one frame to the next, 0 to 0.9; 0.5 is a good
            value, 0 changes nothing.

    Raises:
        ValueError: `kept` is out of its range.
    """

    def __init__(self, kept: float) -> None:
        if not 0 <= kept <= MOST_KEPT:
            raise ValueError(f"the temporal filter keeps 0 to {MOST_KEPT} of the past, not {kept}")
        self.kept = kept
        levels = np.arange(256)
        # A label that is sure for ever weighs 255.
        self._weights = np.rint((levels / 255) ** SUREST * 255 * (1 - kept)).astype(np.uint8)
        self._fading = np.rint(levels * kept).astype(np.uint8)
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._memory: _Memory | None = None
        self._columns_rows = np.empty((0, 0, 2), np.float32)

    def reset(self) -> None:
        """Forgets all frames."""
        self._memory = None

    def update(
        self, image: NDArray[np.uint8], labels: Plane, confidence: Plane, time: float
    ) -> tuple[Plane, Plane]:
        """The steadied labels of the next frame.

        A frame that does not follow the one before is taken as it is and resets the filter: of
        another size or scene, of an earlier or much later time, or late by the rate so far.

        Args:
            image: BGR, uint8 [H, W, 3], of what the labels show.
            labels: class ids, uint8 [h, w].
            confidence: probability of the label x 255, uint8 [h, w].
            time: of the frame, seconds.

        Returns:
            Labels, and their confidence: the network's where it says the same, else the label's
            faded weight; uint8 [h, w]. They must not be written to.
        """
        height, width = labels.shape
        if self.kept == 0 or min(height, width) < SMALLEST * SHRINK:
            return labels, confidence
        size = width // SHRINK, height // SHRINK
        grey = cv2.resize(
            cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), size, interpolation=cv2.INTER_AREA
        )
        weight = cv2.LUT(confidence, self._weights)
        past = self._carried(image.shape[:2], grey, labels.shape, time)
        if past is None:
            nobody = np.full_like(labels, UNLABELLED)
            nothing = np.zeros_like(labels)
            self._memory = _Memory(
                image.shape[:2], grey, time, None, labels, weight, nobody, nothing, labels
            )
            return labels, confidence
        self._memory = past
        _vote(past, labels, confidence, weight)
        held = cv2.compare(labels, past.label, cv2.CMP_NE)
        return past.label, np.asarray(cv2.copyTo(past.weight, held, confidence.copy()), np.uint8)

    def _carried(
        self, whole: tuple[int, ...], grey: Plane, size: tuple[int, ...], time: float
    ) -> _Memory | None:
        """What is remembered, where it is now; None where the frame does not follow.

        Args:
            whole: height and width of the image.
            grey: the image, small.
            size: height and width of the labels.
            time: of the frame, seconds.
        """
        past = self._memory
        if past is None or past.label.shape != size or past.size != whole:
            return None
        period = time - past.time
        if not 0 < period <= LONGEST_GAP or period > SLOWER * (past.period or period):
            return None
        flow = self._flow.calc(grey, past.grey, None)
        origin = cv2.add(self._grid(grey.shape), flow)
        seen = cv2.remap(past.grey, origin, None, cv2.INTER_LINEAR)
        strange = cv2.compare(cv2.absdiff(grey, seen), STRANGE, cv2.CMP_GT)
        if cv2.countNonZero(strange) > NEW_SCENE * strange.size:
            return None
        # In pixels of the labels: their centres, not their corners, are integers.
        height, width = size
        scale = width / grey.shape[1], height / grey.shape[0]
        shift = (scale[0] - 1) / 2, (scale[1] - 1) / 2
        coarse = cv2.add(cv2.multiply(origin, (*scale, 0, 0)), (*shift, 0, 0))
        fine = cv2.resize(coarse, (width, height))
        maps = cv2.convertMaps(fine, None, cv2.CV_16SC2, nninterpolation=True)
        forgotten = cv2.resize(strange, (width, height), interpolation=cv2.INTER_NEAREST)

        planes = cv2.merge([past.label, past.weight, past.rival, past.rival_weight])
        planes = cv2.remap(
            planes, *maps, cv2.INTER_NEAREST, borderValue=(UNLABELLED, 0, UNLABELLED, 0)
        )
        label, weight, rival, rival_weight = cv2.split(planes)
        raw = cv2.remap(past.raw, *maps, cv2.INTER_NEAREST, borderValue=UNLABELLED)
        weight = cv2.subtract(cv2.LUT(weight, self._fading), forgotten)  # 255 leaves nothing
        rival_weight = cv2.subtract(cv2.LUT(rival_weight, self._fading), forgotten)
        return _Memory(whole, grey, time, period, label, weight, rival, rival_weight, raw)

    def _grid(self, size: tuple[int, ...]) -> NDArray[np.float32]:
        """Column and row of each pixel, float32 [H, W, 2]."""
        if self._columns_rows.shape[:2] != size:
            rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
            self._columns_rows = np.dstack([columns, rows])
        return self._columns_rows


def _vote(past: _Memory, labels: Plane, confidence: Plane, weight: Plane) -> None:
    """Adds the network's labels to what is remembered, in place."""
    same = cv2.compare(labels, past.label, cv2.CMP_EQ)
    other = cv2.bitwise_not(same)
    rival = cv2.bitwise_and(cv2.compare(labels, past.rival, cv2.CMP_EQ), other)
    past.weight = cv2.add(past.weight, cv2.bitwise_and(weight, same))
    past.rival_weight = cv2.add(past.rival_weight, cv2.bitwise_and(weight, rival))
    # A third label takes the rival's place where it outweighs it.
    third = cv2.bitwise_and(
        cv2.subtract(other, rival), cv2.compare(weight, past.rival_weight, cv2.CMP_GT)
    )
    # Twice running, and surely: no vote is needed.
    again = cv2.compare(labels, past.raw, cv2.CMP_EQ)
    sure = cv2.compare(confidence, SURE * 255, cv2.CMP_GE)
    settled = cv2.bitwise_and(cv2.bitwise_and(again, sure), other)
    cv2.copyTo(labels, cv2.bitwise_or(third, settled), past.rival)
    cv2.copyTo(weight, third, past.rival_weight)
    outweighed = cv2.compare(past.rival_weight, past.weight, cv2.CMP_GT)
    changed = cv2.bitwise_or(outweighed, settled)
    label = cv2.copyTo(past.rival, changed, past.label.copy())
    cv2.copyTo(past.label, changed, past.rival)
    heavier = cv2.max(past.weight, past.rival_weight)
    past.rival_weight = cv2.min(past.weight, past.rival_weight)
    past.label, past.weight, past.raw = label, heavier, labels
