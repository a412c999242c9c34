"""Free space: how far the ground goes along each bearing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.geometry.camera import CameraModel
from hyperseg_ros.geometry.errors import GeometryError
from hyperseg_ros.geometry.ground_view import STEP, GroundView
from hyperseg_ros.geometry.lens import Array
from hyperseg_ros.geometry.pose import Pose

HOLES = ("obstacle", "free", "unknown")
"""What unlabelled pixels may count as."""

_GROUND, _EVEN = 255, 128
"""Evidence of ground in a pixel, 0 to 255: all, and where it turns to none."""
_SURENESS = (128 + np.arange(256) // 2).astype(np.uint8)
"""Evidence of ground by the confidence of a pixel of ground."""


@dataclass(frozen=True)
class FreeSpaceOptions:
    """How free space is looked for.

    Raises:
        GeometryError: a number is out of its range.
    """

    min_range: float = 0.0
    """Metres from the origin; what is nearer is not reported."""
    max_range: float = 15.0
    """Metres from the origin."""
    angle_increment: float = math.radians(0.5)
    """Radians between two bearings."""
    angle_min: float = math.nan
    """Of the first bearing, radians; nan for the camera's view."""
    angle_max: float = math.nan
    """Of the last bearing, radians; nan for the camera's view."""
    min_run: int = 4
    """Pixels along a bearing that must not be ground for an obstacle; fewer are a speck."""
    holes: str = "obstacle"
    """What unlabelled pixels count as, one of `HOLES`."""
    pitch_noise: float = math.radians(0.3)
    """Standard deviation of the pose's pitch, radians."""
    pixel_noise: float = 1.0
    """Standard deviation of a sure label's outline, pixels."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_range < self.max_range < math.inf:
            raise GeometryError(
                "free space is looked for from min_range to max_range, not from "
                f"{self.min_range:g} to {self.max_range:g} m"
            )
        if not math.radians(0.01) <= self.angle_increment <= math.pi:
            raise GeometryError(
                "angle_increment must be from 0.01 to 180 degrees, not "
                f"{math.degrees(self.angle_increment):g}"
            )
        if math.isnan(self.angle_min) != math.isnan(self.angle_max):
            raise GeometryError("angle_min and angle_max go together: give both or none")
        if not math.isnan(self.angle_min) and not (
            self.angle_min < self.angle_max <= self.angle_min + 2 * math.pi
        ):
            raise GeometryError(
                "angle_min to angle_max must be a rising interval of at most 360 degrees, not "
                f"{math.degrees(self.angle_min):g} to {math.degrees(self.angle_max):g}"
            )
        if self.min_run < 1:
            raise GeometryError(f"min_run must be 1 pixel or more, not {self.min_run}")
        if self.holes not in HOLES:
            raise GeometryError(f"holes must be one of {', '.join(HOLES)}, not {self.holes!r}")
        if not (self.pitch_noise >= 0 and self.pixel_noise >= 0):
            raise GeometryError("pitch_noise and pixel_noise must be 0 or more")


DEFAULT_OPTIONS = FreeSpaceOptions()


@dataclass(frozen=True)
class FreeSpace:
    """A polar scan of the ground about the origin of the ground frame; arrays are [B]."""

    bearings: NDArray[np.float64]
    """Radians from the x axis to the left, equally spaced."""
    ranges: NDArray[np.float32]
    """Metres to the first thing that is not ground. inf: the ground goes on beyond `max_range`;
    -inf: the thing is nearer than the image shows; nan: the image does not say (REP 117)."""
    confidence: NDArray[np.float32]
    """Of the labels that the range rests on, 0 to 1; 0 where there is no range."""
    sigma: NDArray[np.float32]
    """Standard deviation of the range, metres; nan where there is no finite range."""
    seen_from: NDArray[np.float32]
    """Metres from which on the ground is in view; inf where none is."""
    free_to: NDArray[np.float32]
    """Metres up to which the ground is seen to be free; at most `max_range`; -inf where none is."""
    min_range: float
    max_range: float

    def points(self) -> NDArray[np.float64]:
        """x, y of the finite ranges in the ground frame, metres, float64 [N, 2]."""
        hit = np.isfinite(self.ranges)
        along = np.stack([np.cos(self.bearings[hit]), np.sin(self.bearings[hit])], axis=1)
        return along * self.ranges[hit, None]


class FreeSpaceFinder:
    """Finds free space in the labels of one camera.

    The tables for a pose are made at the first frame with it; a pose that differs from frame to
    frame costs their making each time.

    Args:
        camera: of the labels' size.
        ground: ids of the classes that are ground.
        options: how free space is looked for.
        body: pixels that show the robot itself, bool [H, W]; none by default.

    Raises:
        GeometryError: no class is ground, or the mask is of another size.
    """

    def __init__(
        self,
        camera: CameraModel,
        ground: Iterable[int],
        options: FreeSpaceOptions = DEFAULT_OPTIONS,
        body: NDArray[np.bool_] | None = None,
    ) -> None:
        self.camera, self.options = camera, options
        ids = sorted(set(ground))
        if not ids or not all(0 <= class_id < UNLABELLED for class_id in ids):
            raise GeometryError("free space needs the ids of the classes that are ground")
        self._is_obstacle = np.full(256, 255, np.uint8)
        self._is_obstacle[ids] = 0
        if options.holes == "free":
            self._is_obstacle[UNLABELLED] = 0
        self._body: NDArray[np.uint8] | None = None
        if body is not None and body.any():
            camera.check_size(body.shape[:2])
            self._body = body.astype(np.uint8)
        self._run = max(1, round(options.min_run / STEP))
        self._view: GroundView | None = None
        self._seen: NDArray[np.bool_] = np.zeros((0, 0), bool)

    def view(self, pose: Pose) -> GroundView:
        """The tables for a pose.

        Raises:
            PoseError: no ground is in the image.
        """
        if self._view is None or self._view.pose != pose:
            options = self.options
            bearings = None
            if not math.isnan(options.angle_min):
                count = math.floor(
                    (options.angle_max - options.angle_min) / options.angle_increment
                )
                bearings = options.angle_min + np.arange(count + 1) * options.angle_increment
            view = GroundView(
                self.camera,
                pose,
                options.max_range,
                bearings,
                options.angle_increment,
                beyond=self._run + 1,
            )
            self._seen = view.seen & (view.ranges >= options.min_range)
            if self._body is not None:
                self._seen &= view.pick(self._body, 1) == 0
            self._view = view
        return self._view

    def find(
        self, labels: NDArray[np.uint8], confidence: NDArray[np.uint8], pose: Pose
    ) -> FreeSpace:
        """The free space of one frame.

        Args:
            labels: class ids, or `UNLABELLED`, uint8 [H, W].
            confidence: probability of the label x 255, uint8 [H, W].
            pose: of the camera when the frame was taken.

        Raises:
            CalibrationError: the labels are of another size than the camera.
            PoseError: no ground is in the image.
        """
        view = self.view(pose)
        self.camera.check_size(labels.shape[:2])
        self.camera.check_size(confidence.shape[:2])
        evidence = view.sample(self._evidence(labels, confidence), _GROUND)
        seen = self._seen
        if self.options.holes == "unknown" and (labels == UNLABELLED).any():
            holes = np.equal(labels, UNLABELLED).astype(np.uint8)
            seen = seen & (view.pick(holes, 0) == 0)
        blocked = (evidence < _EVEN) & seen
        start = np.argmax(self._seen, axis=1)
        before = np.arange(seen.shape[1]) < start[:, None]
        hit = _first_run(blocked, blocked | ~seen, self._run)
        end = _first_run(~seen & ~before, blocked | ~seen, self._run)
        return self._report(view, evidence, view.sample(confidence, 0), start, hit, end)

    def _evidence(
        self, labels: NDArray[np.uint8], confidence: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """128 to 255 where the label is ground, the surer the higher; else 127 to 0."""
        obstacle = cv2.LUT(labels, self._is_obstacle)
        return np.asarray(cv2.bitwise_xor(cv2.LUT(confidence, _SURENESS), obstacle), np.uint8)

    def _report(
        self,
        view: GroundView,
        evidence: NDArray[np.uint8],
        confidence: NDArray[np.uint8],
        start: NDArray[np.intp],
        hit: NDArray[np.intp],
        end: NDArray[np.intp],
    ) -> FreeSpace:
        """What the samples say.

        Args:
            view: where the samples are.
            evidence, confidence: of the samples, [B, K].
            start: the first sample in view of each bearing, [B].
            hit: the first sample of the first obstacle; K where there is none.
            end: the first sample where the view ends; K where it does not.
        """
        options, count = self.options, evidence.shape[1]
        each = np.arange(len(view.bearings))
        any_seen = self._seen.any(axis=1)
        obstacle = any_seen & (hit < count) & (hit <= end)
        last = np.clip(np.minimum(hit, end) - 1, 0, count - 1)
        reach = np.where(any_seen, view.ranges[each, last], -np.inf)  # of the ground that is seen
        contact = np.where(obstacle, _crossing(view.ranges, evidence, hit), reach)
        near, far = obstacle & (hit <= start), contact >= options.max_range
        ranges = np.where(obstacle, contact, np.nan)
        ranges[near] = -np.inf
        ranges[far & any_seen & ~near] = np.inf
        at = np.minimum(hit, count - 1)
        sureness = _mean_of_run(confidence, np.where(obstacle & ~far, at, start), self._run) / 255
        sureness[np.isnan(ranges)] = 0
        finite = np.isfinite(ranges)
        pixel = view.spacing[each, at] * options.pixel_noise * (1 + 2 * (1 - sureness))
        height = view.pose.height
        away = ranges - view.ahead
        tilt = options.pitch_noise * (height**2 + away**2) / height
        sigma = np.where(finite, np.hypot(pixel, tilt), np.nan)
        return FreeSpace(
            bearings=view.bearings,
            ranges=ranges.astype(np.float32),
            confidence=sureness.astype(np.float32),
            sigma=sigma.astype(np.float32),
            seen_from=np.where(any_seen, view.ranges[each, start], np.inf).astype(np.float32),
            free_to=np.where(near, -np.inf, np.minimum(contact, options.max_range)).astype(
                np.float32
            ),
            min_range=options.min_range,
            max_range=options.max_range,
        )


def _first_run(
    starts: NDArray[np.bool_], continues: NDArray[np.bool_], length: int
) -> NDArray[np.intp]:
    """Of each row of [B, K]: the first sample of `starts` from which `continues` holds so long.

    What lies behind the last sample is as the last one is. K where there is none.
    """
    whole = cv2.erode(
        continues.view(np.uint8),
        np.ones((1, length), np.uint8),
        anchor=(0, 0),
        borderType=cv2.BORDER_REPLICATE,
    )
    found = starts & (whole > 0)
    return np.where(found.any(axis=1), found.argmax(axis=1), found.shape[1])


def _crossing(
    ranges: NDArray[np.float32], evidence: NDArray[np.uint8], hit: NDArray[np.intp]
) -> Array:
    """Where, between a sample of ground and the next, which is none, the evidence is even, [B]."""
    each = np.arange(len(hit))
    far = np.clip(hit, 1, ranges.shape[1] - 1)
    above = np.maximum(evidence[each, far - 1] - (_EVEN - 0.5), 0)
    below = np.maximum((_EVEN - 0.5) - evidence[each, far], 0)
    share = above / np.maximum(above + below, 1)
    before = ranges[each, far - 1]
    return before + share * (ranges[each, far] - before)


def _mean_of_run(samples: NDArray[np.uint8], first: NDArray[np.intp], length: int) -> Array:
    """Mean of the samples from each row's first one on, [B]."""
    at = np.minimum(first[:, None] + np.arange(length), samples.shape[1] - 1)
    return samples[np.arange(len(first))[:, None], at].mean(axis=1)
