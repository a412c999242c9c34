"""The ground as a camera sees it: bearing by bearing, from the robot outwards."""

from __future__ import annotations

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
PROBES = 33
"""Pixels a side of the grid that is projected to see how far the view reaches."""


class GroundView:
    """Which pixels show the ground along each bearing: made once for a camera and a pose.

    Bearings are counted from the origin of the pose's ground frame, from its x axis to the left. A
    bearing is sampled at equal steps of the angle below the horizon, so about pixel by pixel; what
    is sampled is looked up by `sample`. No image is undistorted.

    Args:
        camera: of the labels' size.
        pose: of the camera.
        max_range: metres up to which the ground is sampled, and a little beyond.
        bearings: [B] radians; by default all that the camera sees, `increment` apart.
        increment: radians between two bearings.
        beyond: samples behind `max_range`.

    Attributes:
        bearings: radians, float64 [B].
        ranges: of each sample from the origin, metres, rising along a bearing, float32 [B, K].
        seen: whether a sample lies in the image, bool [B, K].
        ahead: metres that the camera is ahead of the origin along each bearing, [B].
        spacing: metres of ground a pixel, float32 [B, K].

    Raises:
        PoseError: no ground is in the image.
    """

    def __init__(
        self,
        camera: CameraModel,
        pose: Pose,
        max_range: float,
        bearings: Array | None = None,
        increment: float = math.radians(0.5),
        beyond: int = 8,
    ) -> None:
        self.camera, self.pose, self.max_range = camera, pose, max_range
        probes = _ground_points(camera, pose, max_range)
        if bearings is None:
            bearings = _bearings_in_view(probes, pose, increment)
        self.bearings = np.asarray(bearings, np.float64)
        across = np.cos(self.bearings), np.sin(self.bearings)
        self.ahead = pose.position[0] * across[0] + pose.position[1] * across[1]
        depressions = self._depressions(probes, beyond)
        reach = pose.height / np.tan(depressions)
        self.ranges = (self.ahead[:, None] + reach).astype(np.float32)
        columns, rows = self._project(across)
        self.seen = (
            (columns >= 0)
            & (columns <= camera.width - 1)
            & (rows >= 0)
            & (rows <= camera.height - 1)
            & (self.ranges > 0)
        )
        columns = np.where(self.seen, columns, -2).astype(np.float32)
        rows = np.where(self.seen, rows, -2).astype(np.float32)
        step = np.hypot(np.gradient(columns, axis=1), np.gradient(rows, axis=1))
        metres = np.gradient(self.ranges, axis=1)
        self.spacing = (metres / np.clip(step, 0.1, 2.0)).astype(np.float32)
        self._smooth = cv2.convertMaps(columns, rows, cv2.CV_16SC2)
        self._nearest = cv2.convertMaps(columns, rows, cv2.CV_16SC2, nninterpolation=True)

    def _depressions(self, probes: Array, beyond: int) -> Array:
        """Angles below the horizon, radians, from the nearest ground in view outwards, [K]."""
        x, y, z = self.pose.position
        away = np.hypot(probes[:, 0], probes[:, 1])
        ahead = (probes[:, 0] * x + probes[:, 1] * y) / np.maximum(away, 1e-9)
        nearest = float(np.arctan2(z, away - ahead).max())
        step = STEP / max(self.camera.fx, self.camera.fy)
        farthest = math.atan2(z, self.max_range + math.hypot(x, y)) - beyond * step
        farthest = max(farthest, step / 2)
        return np.arange(nearest + step, farthest, -step)

    def _project(self, across: tuple[Array, Array]) -> tuple[Array, Array]:
        """Columns and rows of the samples, [B, K]."""
        x, y, z = self.pose.position
        cos, sin = (part.astype(np.float32)[:, None] for part in across)
        turn = self.pose.matrix.T.astype(np.float32)
        along = turn[:, 0, None, None] * cos + turn[:, 1, None, None] * sin
        origin = turn @ np.array([x, y, z], np.float32)
        right, down, forward = along * self.ranges - origin[:, None, None]
        with np.errstate(invalid="ignore"):
            u, v = self.camera.lens.distort(right, down, forward)
        camera = self.camera
        return u * camera.fx + camera.cx, v * camera.fy + camera.cy

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
        return self._remap(image, self._nearest, cv2.INTER_NEAREST, outside)

    def _remap(
        self, image: NDArray[np.uint8], maps: tuple[Array, Array], how: int, outside: int
    ) -> NDArray[np.uint8]:
        self.camera.check_size(image.shape[:2])
        picked = cv2.remap(
            image, maps[0], maps[1], how, borderMode=cv2.BORDER_CONSTANT, borderValue=outside
        )
        return np.asarray(picked, np.uint8)


def _ground_points(camera: CameraModel, pose: Pose, max_range: float) -> Array:
    """Ground points x, y in view, [N, 2], of a grid of pixels; farther ones at `max_range`.

    Raises:
        PoseError: there is none.
    """
    columns, rows = np.meshgrid(
        np.linspace(0, camera.width - 1, PROBES), np.linspace(0, camera.height - 1, PROBES)
    )
    directions = camera.directions(columns, rows).reshape(-1, 3) @ pose.matrix.T
    directions = directions[np.isfinite(directions).all(axis=1)]
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


def _bearings_in_view(probes: Array, pose: Pose, increment: float) -> Array:
    """Bearings of ground points, multiples of the increment, radians."""
    forward = pose.matrix[:, 2]
    middle = math.atan2(forward[1], forward[0])
    turned = np.arctan2(probes[:, 1], probes[:, 0]) - middle
    turned = (turned + np.pi) % (2 * np.pi) - np.pi + middle
    first, last = math.ceil(turned.min() / increment), math.floor(turned.max() / increment)
    last = min(last, first + math.floor(2 * np.pi / increment) - 1)
    return np.arange(first, last + 1) * increment
