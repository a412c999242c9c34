"""The ground as a camera sees it: bearing by bearing, from the robot outwards."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.geometry.camera import CameraModel
from hyperseg_ros.geometry.errors import PoseError
from hyperseg_ros.geometry.lens import Array
from hyperseg_ros.geometry.pose import Pose

STEP = 0.75
"""Pixels between two samples of a bearing, where the lens is sharpest."""
FINEST = 700.0
"""The most pixels per radian that are told apart: labels of larger images are no finer."""
COARSE = 8
"""Samples, each way, for each one that is projected."""
PROBES = 33
"""Pixels per side of the grid that is projected to see how far the view reaches."""
OUTSIDE = 1e5
"""Pixels; no image is as large."""


class GroundView:
    """Which pixels show the ground along each bearing: made once for a camera and a pose.

    Bearings are counted from the origin of the pose's ground frame, from its x axis to the left.
    Each is a beam of lines, the outermost on its edges and shared with its neighbours. A line is
    sampled at equal steps of the angle below the horizon, so about pixel by pixel; what is sampled
    is looked up by `sample`. No image is undistorted.

    Args:
        camera: of the labels' size.
        pose: of the camera.
        max_range: metres up to which the ground is sampled, and a little beyond.
        bearings: of the middle of each beam, radians, [B].
        increment: radians between two bearings, and the width of a beam.
        lines: from one edge of a beam up to the next; L = B * lines + 1.
        beyond: samples behind `max_range`.

    Attributes:
        bearings: radians, float64 [B].
        ranges: of each sample from the origin, metres, rising along a line, float32 [L, K].
        seen: whether a sample lies in the image, bool [L, K].
        ahead: metres that the camera is ahead of the origin along each line, [L].

    Raises:
        PoseError: no ground is in the image.
    """

    def __init__(
        self,
        camera: CameraModel,
        pose: Pose,
        max_range: float,
        bearings: NDArray[np.float64],
        increment: float,
        lines: int = 1,
        beyond: int = 8,
    ) -> None:
        self.camera, self.pose, self.max_range = camera, pose, max_range
        self.bearings = bearings
        probes = _ground_points(camera, pose, max_range)
        angles = bearings[0] + (np.arange(len(bearings) * lines + 1) / lines - 0.5) * increment
        x, y, height = pose.position
        self.ahead = x * np.cos(angles) + y * np.sin(angles)
        depressions = self._depressions(probes, beyond)
        reach = height / np.tan(depressions)
        self.ranges = self.ahead.astype(np.float32)[:, None] + reach.astype(np.float32)
        self._pixels = self._project(angles, depressions)
        self._smooth = cv2.convertMaps(self._pixels, None, cv2.CV_16SC2)
        # Whole pixels, rounded down: of the last one there is nothing to interpolate with.
        last = (camera.width - 2, camera.height - 2)
        self.seen = cv2.inRange(self._smooth[0], (0, 0), last) != 0
        self._nearest: tuple[Array, Array] | None = None

    def _depressions(self, probes: Array, beyond: int) -> Array:
        """Angles below the horizon, radians, from the nearest ground in view outwards, [K]."""
        x, y, z = self.pose.position
        away = np.hypot(probes[:, 0], probes[:, 1])
        ahead = (probes[:, 0] * x + probes[:, 1] * y) / np.maximum(away, 1e-9)
        nearest = float(np.arctan2(z, away - ahead).max())
        step = STEP / resolution(self.camera)
        farthest = math.atan2(z, self.max_range + math.hypot(x, y)) - beyond * step
        farthest = max(farthest, step / 2)
        return np.arange(nearest + step, farthest, -step)

    def _project(self, angles: Array, depressions: Array) -> NDArray[np.float32]:
        """Column and row of each sample, [L, K, 2]; far outside where the lens does not see.

        The curves are smooth: the middle of each block of samples is projected, and the samples
        are interpolated between these.
        """
        middle_angles, middle_depressions = _middles(angles), _middles(depressions)
        x, y, z = self.pose.position
        cos, sin = np.cos(middle_angles)[:, None], np.sin(middle_angles)[:, None]
        away, below = np.cos(middle_depressions), np.sin(middle_depressions)
        reach = (x * cos + y * sin) * below + z * away  # from the origin, metres times `below`
        seen = np.stack(
            [
                reach * cos - x * below,
                reach * sin - y * below,
                np.broadcast_to(-z * below, reach.shape),
            ]
        )
        right, down, forward = np.tensordot(self.pose.matrix.T, seen, axes=1)
        with np.errstate(invalid="ignore"):
            u, v = self.camera.lens.distort(right, down, forward)
        pixels = np.dstack(
            [u * self.camera.fx + self.camera.cx, v * self.camera.fy + self.camera.cy]
        )
        np.nan_to_num(pixels, copy=False, nan=-OUTSIDE)
        np.clip(pixels, -OUTSIDE, OUTSIDE, out=pixels)
        fine = cv2.resize(pixels.astype(np.float32), None, fx=COARSE, fy=COARSE)
        inner = fine[COARSE:, COARSE:][: len(angles), : len(depressions)]
        return np.asarray(inner, np.float32)

    def spacing(self, lines: NDArray[np.intp], samples: NDArray[np.intp]) -> Array:
        """Metres of ground per pixel at some samples, [N]."""
        far = np.clip(samples + 1, 1, self.ranges.shape[1] - 1)
        metres = self.ranges[lines, far] - self.ranges[lines, far - 1]
        columns, rows = (self._pixels[lines, far] - self._pixels[lines, far - 1]).T
        return metres / np.clip(np.hypot(columns, rows), 0.2, 1.5)

    def sample(self, image: NDArray[np.uint8], outside: int) -> NDArray[np.uint8]:
        """An image along the bearings, between its pixels by bilinear interpolation.

        Args:
            image: uint8 [H, W], of the camera's size.
            outside: the value of samples that are not in the image.

        Returns:
            uint8 [B, K].
        """
        return self._remap(image, self._smooth, cv2.INTER_LINEAR, outside)

    def pick(self, image: NDArray[np.uint8], outside: int) -> NDArray[np.uint8]:
        """An image along the bearings, each sample from the nearest pixel; else as `sample`."""
        if self._nearest is None:
            self._nearest = cv2.convertMaps(self._pixels, None, cv2.CV_16SC2, nninterpolation=True)
        return self._remap(image, self._nearest, cv2.INTER_NEAREST, outside)

    def pick_at(
        self, image: NDArray[np.uint8], lines: NDArray[np.intp], samples: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """The nearest pixels of some samples in view, of the shape of `lines` and `samples`."""
        pixels = np.rint(self._pixels[lines, samples])
        columns = np.clip(pixels[..., 0], 0, self.camera.width - 1).astype(np.intp)
        rows = np.clip(pixels[..., 1], 0, self.camera.height - 1).astype(np.intp)
        return image[rows, columns]

    def _remap(
        self, image: NDArray[np.uint8], maps: tuple[Array, Array], how: int, outside: int
    ) -> NDArray[np.uint8]:
        self.camera.check_size(image.shape[:2])
        picked = cv2.remap(
            image, maps[0], maps[1], how, borderMode=cv2.BORDER_CONSTANT, borderValue=outside
        )
        return np.asarray(picked, np.uint8)


def resolution(camera: CameraModel) -> float:
    """Pixels per radian where the lens is sharpest, `FINEST` at most."""
    return min(max(camera.fx, camera.fy), FINEST)


def _middles(values: Array) -> Array:
    """The middles of blocks of `COARSE` equally spaced values, and of a block before and behind."""
    step = values[1] - values[0] if len(values) > 1 else 0.0
    blocks = np.arange(-1, -(-len(values) // COARSE) + 1)
    return values[0] + (blocks * COARSE + (COARSE - 1) / 2) * step


@functools.lru_cache(maxsize=8)
def _probes(camera: CameraModel) -> Array:
    """Directions of a grid of pixels in the camera's frame, [N, 3]."""
    columns, rows = np.meshgrid(
        np.linspace(0, camera.width - 1, PROBES), np.linspace(0, camera.height - 1, PROBES)
    )
    directions = camera.directions(columns, rows).reshape(-1, 3)
    return directions[np.isfinite(directions).all(axis=1)]


@functools.lru_cache(maxsize=4)  # a view and its bearings ask for the same
def _ground_points(camera: CameraModel, pose: Pose, max_range: float) -> Array:
    """Ground points x, y in view, [N, 2], of a grid of pixels; farther ones at `max_range`.

    Raises:
        PoseError: there is none.
    """
    directions = _probes(camera) @ pose.matrix.T
    below = directions[directions[:, 2] < -1e-3 * np.linalg.norm(directions, axis=1)]
    if not len(below):
        _, pitch, _ = pose.roll_pitch_yaw
        raise PoseError(
            "no ground is in the camera's image: it looks "
            f"{math.degrees(abs(pitch)):.0f} degrees {'up' if pitch < 0 else 'down'}; "
            "check the camera's pose (pitch is down where it is above 0)"
        )
    points = below[:, :2] * (pose.height / -below[:, 2:])
    away = np.linalg.norm(points, axis=1, keepdims=True)
    points *= np.minimum(1, max_range / np.maximum(away, 1e-9))
    return points + pose.position[:2]


def bearings_in_view(
    camera: CameraModel, pose: Pose, max_range: float, increment: float
) -> NDArray[np.float64]:
    """The bearings of all ground that a camera sees, multiples of the increment, radians.

    Raises:
        PoseError: no ground is in the image.
    """
    points = _ground_points(camera, pose, max_range)
    forward = pose.matrix[:, 2]
    middle = math.atan2(forward[1], forward[0])
    turned = np.arctan2(points[:, 1], points[:, 0]) - middle
    turned = (turned + np.pi) % (2 * np.pi) - np.pi + middle
    first, last = math.ceil(turned.min() / increment), math.floor(turned.max() / increment)
    last = min(last, first + math.floor(2 * np.pi / increment + 1e-9) - 1)
    return np.arange(first, max(first, last) + 1) * increment
