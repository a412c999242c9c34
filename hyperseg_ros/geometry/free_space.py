"""Free space: how far the ground goes along each bearing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.geometry.boundary import Boundary, find_boundary
from hyperseg_ros.geometry.camera import CameraModel
from hyperseg_ros.geometry.errors import GeometryError, PoseError
from hyperseg_ros.geometry.ground_view import STEP, GroundView, bearings_in_view, resolution
from hyperseg_ros.geometry.lens import Array
from hyperseg_ros.geometry.pose import Pose

HOLES = ("obstacle", "free", "unknown")
"""What unlabelled pixels may count as."""

_GROUND = 255
"""Full evidence of ground; a pixel of ground has 128 or more, any other 127 or less."""
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
    """Radians between two bearings, and the width of the beam of each; of a single one too."""
    angle_min: float = math.nan
    """Of the first bearing, radians; nan for the camera's view."""
    angle_max: float = math.nan
    """Of the last bearing, radians, the first again for a single one; nan for the camera's view."""
    min_run: int = 2
    """Pixels along a bearing that must not be ground for an obstacle; fewer are a speck."""
    ground_confidence: float = 0.45
    """Pixels of ground that the network is less sure of are not taken for ground, 0 to 1. Doubt is
    where ground ends: a higher value misses fewer obstacles, and sees more that are not there."""
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
            -math.inf < self.angle_min <= self.angle_max <= self.angle_min + 2 * math.pi < math.inf
        ):
            raise GeometryError(
                "angle_min to angle_max must be an interval of 0 to 360 degrees, not "
                f"{math.degrees(self.angle_min):g} to {math.degrees(self.angle_max):g}"
            )
        if self.min_run < 1:
            raise GeometryError(f"min_run must be 1 pixel or more, not {self.min_run}")
        if not 0 <= self.ground_confidence <= 1:
            raise GeometryError(
                f"ground_confidence must be from 0 to 1, not {self.ground_confidence:g}"
            )
        if self.holes not in HOLES:
            raise GeometryError(f"holes must be one of {', '.join(HOLES)}, not {self.holes!r}")
        if not (self.pitch_noise >= 0 and self.pixel_noise >= 0):
            raise GeometryError("pitch_noise and pixel_noise must be 0 or more")


DEFAULT_OPTIONS = FreeSpaceOptions()


@dataclass(frozen=True)
class FreeSpace:
    """A polar scan of the ground about the origin of the ground frame; arrays are [B].

    A bearing stands for a beam as wide as `increment`, its edges included, and its range for the
    nearest thing in it: nothing falls between two bearings, and nothing thin beside a single one.
    """

    bearings: NDArray[np.float64]
    """Radians from the x axis to the left, equally spaced."""
    ranges: NDArray[np.float32]
    """Metres to the first thing that is not ground. inf: the ground goes on beyond `max_range`;
    -inf: the thing is nearer than the image shows; nan: the image does not say, as where ground
    is in view only beyond `max_range` (REP 117)."""
    confidence: NDArray[np.float32]
    """Of the labels that the range rests on, 0 to 1; 0 where there is no range."""
    sigma: NDArray[np.float32]
    """Standard deviation of the range, metres; nan where there is no finite range."""
    seen_from: NDArray[np.float32]
    """Metres from which on the ground is in view; inf where none is within `max_range`."""
    free_to: NDArray[np.float32]
    """Metres up to which the ground is seen to be free; at most `max_range`; -inf where none is."""
    min_range: float
    max_range: float
    increment: float
    """Radians between two bearings, and the width of a beam."""

    def points(self) -> NDArray[np.float64]:
        """x, y of the finite ranges in the ground frame, metres, float64 [N, 2]."""
        hit = np.isfinite(self.ranges)
        along = np.stack([np.cos(self.bearings[hit]), np.sin(self.bearings[hit])], axis=1)
        return along * self.ranges[hit, None]

    def seen_within(self, limit: float) -> FreeSpace:
        """Without the ranges of bearings on which ground is in view only from farther away.

        A range says nothing of what lies before the view; at the sides of a camera that is ahead
        of the origin, or rolled, that may be most of the way.

        Args:
            limit: metres.

        Raises:
            PoseError: no bearing is left.
        """
        hidden = self.seen_from > limit
        if not hidden.any():
            return self
        if hidden.all():
            nearest = self.seen_from.min()
            if np.isinf(nearest):
                raise PoseError(f"no ground within max_range, {self.max_range:g} m, is in view")
            raise PoseError(
                f"on no bearing is ground in view within {limit:g} m: the nearest is "
                f"{nearest:.2f} m away"
            )
        return replace(
            self,
            ranges=np.where(hidden, np.float32(np.nan), self.ranges),
            confidence=np.where(hidden, np.float32(0), self.confidence),
            sigma=np.where(hidden, np.float32(np.nan), self.sigma),
        )


class FreeSpaceFinder:
    """Finds free space in the labels of one camera.

    The tables for a pose are computed at the first frame with it, so a pose that differs from frame
    to frame costs more.

    Args:
        camera: of the labels' size.
        ground: ids of the classes that are ground.
        options: how free space is looked for.
        body: pixels that show the robot itself, bool [H, W]; none by default.
        enlarged: by how much the labels were enlarged to the camera's size, each way: the run of
            `FreeSpaceOptions.min_run` is counted in their own pixels.

    Raises:
        GeometryError: no class is ground, or the mask is of another size.
    """

    def __init__(
        self,
        camera: CameraModel,
        ground: Iterable[int],
        options: FreeSpaceOptions = DEFAULT_OPTIONS,
        body: NDArray[np.bool_] | None = None,
        enlarged: float = 1.0,
    ) -> None:
        self.camera, self.options = camera, options
        ids = sorted(set(ground))
        if not ids or not all(0 <= class_id < UNLABELLED for class_id in ids):
            raise GeometryError("free space needs the ids of the classes that are ground")
        self._is_obstacle = np.full(256, 255, np.uint8)
        self._is_obstacle[ids] = 0
        self._body: NDArray[np.uint8] | None = None
        if body is not None and body.any():
            camera.check_size(body.shape[:2])
            # A sample beside the mask would be interpolated with its pixels.
            self._body = np.asarray(cv2.dilate(body.astype(np.uint8), np.ones((3, 3))), np.uint8)
        share = resolution(camera) / max(camera.fx, camera.fy)
        # Samples are a little farther apart off the lens's axis, where as many pixels must do.
        run = options.min_run * enlarged - (enlarged - 1) / 2
        self._run = max(1, round(run / STEP * share))
        # Lines about a pixel apart: none that is thinner could be seen.
        self._lines = max(1, round(options.angle_increment * resolution(camera)))
        self._even = 128 + round(options.ground_confidence * 127)
        self._view: GroundView | None = None
        self._seen: NDArray[np.bool_] = np.zeros((0, 0), bool)

    def view(self, pose: Pose) -> GroundView:
        """The tables for a pose.

        Raises:
            PoseError: no ground is in the image.
        """
        if self._view is None or self._view.pose != pose:
            options = self.options
            view = GroundView(
                self.camera,
                pose,
                options.max_range,
                self._bearings(pose),
                options.angle_increment,
                self._lines,
                beyond=self._run + 1,
            )
            self._seen = view.seen & (view.ranges >= options.min_range)
            if self._body is not None:
                self._seen &= view.pick(self._body, 1) == 0
            self._view = view
        return self._view

    def _bearings(self, pose: Pose) -> NDArray[np.float64]:
        options = self.options
        step = options.angle_increment
        if math.isnan(options.angle_min):
            return bearings_in_view(self.camera, pose, options.max_range, step)
        count = math.floor((options.angle_max - options.angle_min) / step + 1e-9) + 1
        return np.asarray(options.angle_min + np.arange(count) * step, np.float64)

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
        self.camera.check_size(labels.shape[:2])
        self.camera.check_size(confidence.shape[:2])
        view = self.view(pose)
        known = self._seen
        if self.options.holes == "unknown" and (labels == UNLABELLED).any():
            holes = np.equal(labels, UNLABELLED).astype(np.uint8)
            known = known & (view.pick(holes, 0) == 0)
        evidence = view.sample(self._evidence(labels, confidence), _GROUND)
        boundary = find_boundary(view, self._seen, known, evidence, self._even, self._run)
        return self._report(view, boundary, confidence)

    def _evidence(
        self, labels: NDArray[np.uint8], confidence: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """128 to 255 where the label is ground, the surer the higher; else 127 to 0."""
        obstacle = cv2.LUT(labels, self._is_obstacle)
        evidence = cv2.bitwise_xor(cv2.LUT(confidence, _SURENESS), obstacle)
        if self.options.holes != "obstacle":  # their confidence does not count
            evidence = cv2.bitwise_or(evidence, cv2.compare(labels, UNLABELLED, cv2.CMP_EQ))
        return np.asarray(evidence, np.uint8)

    def _report(
        self, view: GroundView, boundary: Boundary, confidence: NDArray[np.uint8]
    ) -> FreeSpace:
        """The nearest boundary of the lines of each beam.

        Args:
            view: where the samples are.
            boundary: of each line.
            confidence: of the pixels, [H, W].
        """
        beams = self._beams(len(view.bearings))
        ranges = boundary.ranges[beams]
        finite, near = np.isfinite(ranges), ranges == -np.inf
        line = beams[np.arange(len(beams)), np.where(finite, ranges, np.inf).argmin(axis=1)]
        hit = finite.any(axis=1)
        too_near = (near.mean(axis=1) > 0.5) | (near.any(axis=1) & ~hit)
        hit &= ~too_near
        reported = np.where(hit, boundary.ranges[line], np.inf)
        reported[~hit & np.isnan(ranges).any(axis=1)] = np.nan
        reported[too_near] = -np.inf
        samples = boundary.sample[line][:, None] + np.arange(self._run)
        samples = np.minimum(samples, view.ranges.shape[1] - 1)
        sureness = view.pick_at(confidence, line[:, None], samples).mean(axis=1) / 255
        sureness[np.isnan(reported)] = 0
        reach, seen_from = boundary.reach[beams], boundary.seen_from[beams]
        free_to = np.where(reach > -np.inf, reach, np.inf).min(axis=1)
        free_to[hit] = reported[hit]
        farthest = np.where(np.isinf(seen_from), -np.inf, seen_from).max(axis=1)
        return FreeSpace(
            bearings=view.bearings,
            ranges=reported.astype(np.float32),
            confidence=sureness.astype(np.float32),
            sigma=self._sigma(view, reported, line, boundary.sample[line], sureness),
            seen_from=np.where(np.isinf(farthest), np.inf, farthest).astype(np.float32),
            free_to=np.where(too_near | np.isinf(free_to), -np.inf, free_to).astype(np.float32),
            min_range=self.options.min_range,
            max_range=self.options.max_range,
            increment=self.options.angle_increment,
        )

    def _beams(self, count: int) -> NDArray[np.intp]:
        """The lines of each beam, from edge to edge, [B, lines + 1]."""
        return np.arange(self._lines + 1) + np.arange(count)[:, None] * self._lines

    def _sigma(
        self,
        view: GroundView,
        ranges: Array,
        line: NDArray[np.intp],
        sample: NDArray[np.intp],
        sureness: Array,
    ) -> NDArray[np.float32]:
        """Standard deviation of the finite ranges, metres, [B]; nan elsewhere."""
        options, height = self.options, view.pose.height
        pixel = view.spacing(line, sample) * options.pixel_noise * (1 + 2 * (1 - sureness))
        away = ranges - view.ahead[line]
        tilt = options.pitch_noise * (height**2 + away**2) / height
        return np.where(np.isfinite(ranges), np.hypot(pixel, tilt), np.nan).astype(np.float32)
