"""The pinhole camera, and the road that it drives along.

Street coordinates are (x, y, z) in metres: x right of the centre line, y along the street, z up.
The centre line bends, so world coordinates are (x + bend(y), y, z). Pixel centres are integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

NEAR = 0.5  # metres; what is nearer than this along the optical axis is clipped


@dataclass(frozen=True)
class CenterLine:
    """A gently winding centre line: a sum of two sines."""

    amplitudes: tuple[float, float]  # metres
    wavelengths: tuple[float, float]  # metres a radian
    phases: tuple[float, float]  # radians

    @classmethod
    def draw(cls, rng: np.random.Generator) -> CenterLine:
        """A straight or a winding line, at random."""
        winds = rng.random() < 0.6
        return cls(
            (float(rng.uniform(3, 14)), float(rng.uniform(0.5, 2))) if winds else (0.0, 0.0),
            (float(rng.uniform(60, 120)), float(rng.uniform(30, 50))),
            (float(rng.uniform(0, 6)), float(rng.uniform(0, 6))),
        )

    @overload
    def offset(self, y: float) -> float: ...
    @overload
    def offset(self, y: Array) -> Array: ...
    def offset(self, y: Array | float) -> Array | float:
        """World x of the centre line at y, metres."""
        (a, b), (u, v), (p, q) = self.amplitudes, self.wavelengths, self.phases
        return a * np.sin(y / u + p) + b * np.sin(y / v + q)

    @overload
    def slope(self, y: float) -> float: ...
    @overload
    def slope(self, y: Array) -> Array: ...
    def slope(self, y: Array | float) -> Array | float:
        """Derivative of the offset, metres a metre."""
        (a, b), (u, v), (p, q) = self.amplitudes, self.wavelengths, self.phases
        return a / u * np.cos(y / u + p) + b / v * np.cos(y / v + q)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without roll at a pose above the street.

    fx, fy, cx, cy in pixels; x, y, z in street coordinates, metres; yaw (towards +x) and
    pitch (upwards) in radians, yaw in world coordinates.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    line: CenterLine
    x: float
    y: float
    z: float
    yaw: float
    pitch: float

    @cached_property
    def axes(self) -> Array:
        """Rows: the optical axes right, down and forward in world coordinates, [3, 3]."""
        sin_yaw, cos_yaw = np.sin(self.yaw), np.cos(self.yaw)
        sin_pitch, cos_pitch = np.sin(self.pitch), np.cos(self.pitch)
        right = (cos_yaw, -sin_yaw, 0.0)
        down = (sin_yaw * sin_pitch, cos_yaw * sin_pitch, -cos_pitch)
        forward = (sin_yaw * cos_pitch, cos_yaw * cos_pitch, sin_pitch)
        return np.array([right, down, forward])

    @cached_property
    def center(self) -> Array:
        """The camera's centre in world coordinates, metres, [3]."""
        return np.array([self.x + self.line.offset(self.y), self.y, self.z])

    def to_camera(self, points: Array) -> Array:
        """Street points [N, 3] in optical coordinates [N, 3]: right, down, forward, metres."""
        world = np.array(points, dtype=np.float64)
        world[:, 0] += self.line.offset(world[:, 1])
        return (world - self.center) @ self.axes.T

    def pixels(self, optical: Array) -> Array:
        """Optical points [N, 3] in front of the camera as pixels [N, 2] (column, row)."""
        scaled = optical[:, :2] / optical[:, 2:]
        return scaled * (self.fx, self.fy) + (self.cx, self.cy)

    def sees(self, x: float, y: float, margin: float, farthest: float) -> bool:
        """Whether something within margin metres of street point (x, y) may be in the picture."""
        ahead = y - self.y
        if not -margin < ahead < farthest:
            return False
        aside = x + self.line.offset(y) - self.center[0]
        forward = aside * self.axes[2, 0] + ahead * self.axes[2, 1]
        across = aside * self.axes[0, 0] + ahead * self.axes[0, 1]
        return abs(across) - 1.2 * margin < max(forward, 0.0) * self.width / 2 / self.fx

    def project(self, points: Array) -> tuple[Array, Array]:
        """Street points [N, 3] as pixels [N, 2] and depths [N] in metres.

        Pixels of points with depth <= 0 mean nothing.
        """
        optical = self.to_camera(points)
        depths = optical[:, 2].copy()
        optical[np.abs(depths) < 1e-6, 2] = 1e-6
        return self.pixels(optical), depths

    @property
    def horizon(self) -> float:
        """Row of the horizon of flat ground, pixels."""
        return self.cy + self.fy * float(np.tan(self.pitch))

    def ground_rows(self, rows: Array) -> tuple[Array, Array, Array, Array, Array]:
        """Where the pixels of some rows (below the horizon) meet flat ground.

        A row sees the ground at one depth t, so street coordinates are affine in the column u:
        x = x0 + u * dx and y = y0 + u * dy, the bend linearised about the middle column.
        Returns (x0, dx, y0, dy, t), each [N].
        """
        right, down, forward = self.axes
        slant = (np.asarray(rows, dtype=np.float64) - self.cy) / self.fy
        middle = slant[:, None] * down + forward
        t = self.z / np.maximum(-middle[:, 2], 1e-6)
        dx, dy = t * right[0] / self.fx, t * right[1] / self.fx
        x0, y0 = self.center[0] + t * middle[:, 0], self.center[1] + t * middle[:, 1]
        slope = self.line.slope(y0)
        x0 = x0 - self.line.offset(y0)
        dx = dx - slope * dy
        return x0 - self.cx * dx, dx, y0 - self.cx * dy, dy, t


def clip_near(polygon: Array) -> Array:
    """The part of a polygon of optical points [N, 3] that is farther than NEAR; maybe empty."""
    depth = polygon[:, 2] - NEAR
    if depth.min() >= 0:
        return polygon
    kept = []
    for a, b, da, db in zip(polygon, np.roll(polygon, -1, 0), depth, np.roll(depth, -1)):
        if da >= 0:
            kept.append(a)
        if (da >= 0) != (db >= 0):
            kept.append(a + (b - a) * (da / (da - db)))
    return np.array(kept).reshape(-1, 3)
