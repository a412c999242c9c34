"""Where a camera is above the ground."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.geometry.errors import PoseError

Rotation = tuple[tuple[float, float, float], ...]

_FARTHEST = 1e9
"""Metres from the origin of a ground frame to a camera: no planet is as large."""

BODY_OF_OPTICAL = np.array([(0.0, 0.0, 1.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)])
"""From the optical frame (right, down, forward) to the body frame (forward, left, up), REP 103."""


@dataclass(frozen=True)
class Pose:
    """A camera in a ground frame: x forward, y left, z up; the ground is z = 0 (REP 103, REP 105).

    Raises:
        PoseError: the numbers are not finite, no rotation, or the camera is not above the ground.
    """

    position: tuple[float, float, float]
    """Metres."""
    rotation: Rotation
    """From the camera's optical frame to the ground frame, rows of [3, 3]."""

    def __post_init__(self) -> None:
        matrix = np.array(self.rotation)
        if not (np.isfinite(self.position).all() and np.isfinite(matrix).all()):
            raise PoseError("the camera's pose above the ground is not finite")
        if np.abs(self.position).max() > _FARTHEST:
            raise PoseError(
                f"the camera is at {self.position} in the ground frame: give its place in metres"
            )
        if np.abs(matrix @ matrix.T - np.eye(3)).max() > 1e-3:
            raise PoseError(
                "the camera's pose above the ground has no rotation: check its transform"
            )
        if self.position[2] <= 0:
            raise PoseError(
                f"the camera is at or below the ground: z is {self.position[2]:g}; give its height "
                "above the ground in metres"
            )

    @classmethod
    def mounted(
        cls,
        x: float,
        y: float,
        z: float,
        roll: float = 0.0,
        pitch: float = 0.0,
        yaw: float = 0.0,
    ) -> Pose:
        """The pose of a mount, as URDF has it.

        Args:
            x, y, z: of the camera in the ground frame, metres.
            roll, pitch, yaw: of its body frame (forward, left, up), radians, about fixed axes in
                this order: pitch is down where it is above 0, yaw left, roll to the right.
        """
        turn = _about(2, yaw) @ _about(1, pitch) @ _about(0, roll)
        return cls((float(x), float(y), float(z)), _rows(turn @ BODY_OF_OPTICAL))

    @classmethod
    def from_transform(cls, translation: Sequence[float], quaternion: Sequence[float]) -> Pose:
        """The pose of a transform from the optical frame to the ground frame, as TF has it.

        Args:
            translation: x, y, z in metres.
            quaternion: x, y, z, w; of any length but 0.

        Raises:
            PoseError: as for the class, or the quaternion is of length 0.
        """
        tx, ty, tz = (float(value) for value in translation)
        return cls((tx, ty, tz), rotation_of(quaternion))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """`rotation` as an array, [3, 3]."""
        return np.array(self.rotation)

    @property
    def height(self) -> float:
        """Of the camera above the ground, metres."""
        return self.position[2]

    @property
    def roll_pitch_yaw(self) -> tuple[float, float, float]:
        """What `mounted` takes, radians."""
        turn = self.matrix @ BODY_OF_OPTICAL.T
        pitch = math.atan2(-turn[2, 0], math.hypot(turn[0, 0], turn[1, 0]))
        if math.cos(pitch) < 1e-9:  # straight down or up: roll and yaw are one
            return 0.0, pitch, math.atan2(-turn[0, 1], turn[1, 1])
        return (
            math.atan2(turn[2, 1], turn[2, 2]),
            pitch,
            math.atan2(turn[1, 0], turn[0, 0]),
        )

    @property
    def quaternion(self) -> tuple[float, float, float, float]:
        """x, y, z, w of the optical frame in the ground frame, of length 1, w 0 or more."""
        m = self.matrix
        w = math.sqrt(max(0.0, 1 + m[0, 0] + m[1, 1] + m[2, 2])) / 2
        x = math.copysign(
            math.sqrt(max(0.0, 1 + m[0, 0] - m[1, 1] - m[2, 2])) / 2, m[2, 1] - m[1, 2]
        )
        y = math.copysign(
            math.sqrt(max(0.0, 1 - m[0, 0] + m[1, 1] - m[2, 2])) / 2, m[0, 2] - m[2, 0]
        )
        z = math.copysign(
            math.sqrt(max(0.0, 1 - m[0, 0] - m[1, 1] + m[2, 2])) / 2, m[1, 0] - m[0, 1]
        )
        return x, y, z, w


def rotation_of(quaternion: Sequence[float]) -> Rotation:
    """The rotation of a quaternion x, y, z, w of any length but 0.

    Raises:
        PoseError: the quaternion is of length 0, or not finite.
    """
    x, y, z, w = (float(value) for value in quaternion)
    norm = x * x + y * y + z * z + w * w
    if not norm > 0 or not math.isfinite(norm):
        raise PoseError("the camera's transform has a quaternion of length 0, or not finite")
    s = 2 / norm
    return (
        (1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)),
        (s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)),
        (s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)),
    )


def _about(axis: int, angle: float) -> NDArray[np.float64]:
    """The rotation by an angle in radians about axis 0, 1 or 2."""
    turn = np.eye(3)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turn[a, a] = turn[b, b] = math.cos(angle)
    turn[b, a] = math.sin(angle)
    turn[a, b] = -math.sin(angle)
    return turn


def _rows(matrix: NDArray[np.float64]) -> Rotation:
    a, b, c = ((float(r[0]), float(r[1]), float(r[2])) for r in matrix)
    return a, b, c
