"""Lenses: from a direction to the plane of the image and back, in units of the focal length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.geometry.errors import CalibrationError

Array = NDArray[np.floating]

FISHEYE_NAMES = ("equidistant", "fisheye")
PINHOLE_NAMES = ("plumb_bob", "rational_polynomial")
NO_DISTORTION = ("", "none")
MOST_COEFFICIENTS = {"plumb_bob": 5, "rational_polynomial": 14}
"""How many coefficients count; drivers often send more, which must be zero."""

_STEPS = 2000
"""Samples of the radial function in the search for where it stops growing."""
_WIDEST = 10.0
"""Tangent of the angle up to which a pinhole lens is examined."""
_NEWTON_STEPS = 4


class Lens(Protocol):
    """A lens without its focal length and centre."""

    def distort(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Where directions (optical frame: right, down, forward) meet the image plane.

        Returns:
            Two arrays of the arguments' shape; nan where the lens does not see.
        """

    def undistort(self, u: Array, v: Array) -> Array:
        """Directions [..., 3] of points of the image plane, of any length; nan beyond the lens."""


def make_lens(model: str, coefficients: Sequence[float]) -> Lens:
    """The lens of a CameraInfo's `distortion_model` and `d`.

    Args:
        model: one of plumb_bob, rational_polynomial, equidistant, fisheye, none; empty means none
            where all coefficients are zero.
        coefficients: in OpenCV's order; none at all means no distortion.

    Raises:
        CalibrationError: the model is unknown, or the coefficients are not its.
    """
    d = np.asarray(coefficients, np.float64)
    if not np.isfinite(d).all():
        raise CalibrationError(f"camera_info has distortion coefficients that are not finite: {d}")
    if model in NO_DISTORTION:
        if d.any():
            raise CalibrationError(
                f"camera_info has {d.size} distortion coefficients but no distortion_model: the "
                "driver must say plumb_bob, rational_polynomial or equidistant"
            )
        return PinholeLens()
    if model in FISHEYE_NAMES:
        return _fisheye(model, d)
    if model in PINHOLE_NAMES:
        return _pinhole(model, d)
    known = ", ".join((*PINHOLE_NAMES, *FISHEYE_NAMES, "none"))
    raise CalibrationError(f"unknown distortion_model {model!r} in camera_info; known are {known}")


def _fisheye(model: str, d: Array) -> FisheyeLens:
    if d[4:].any() or 0 < d.size < 4:
        raise CalibrationError(
            f"distortion_model {model!r} has 4 coefficients; camera_info has {d.size}"
        )
    k1, k2, k3, k4 = d[:4] if d.size else np.zeros(4)
    return FisheyeLens(float(k1), float(k2), float(k3), float(k4))


def _pinhole(model: str, d: Array) -> Lens:
    most = MOST_COEFFICIENTS[model]
    if d[most:].any() or 0 < d.size < 4:
        raise CalibrationError(
            f"distortion_model {model!r} has 4 to {most} coefficients; camera_info has {d.size}"
        )
    if d[12:].any():
        raise CalibrationError("distortion coefficients of a tilted sensor (tau) are not supported")
    return BrownLens(d[:12]) if d.any() else PinholeLens()


class PinholeLens:
    """No distortion."""

    def distort(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        depth = np.where(z > 1e-6, z, np.nan)
        return x / depth, y / depth

    def undistort(self, u: Array, v: Array) -> Array:
        return np.stack([u, v, np.ones_like(u)], axis=-1)


class BrownLens:
    """Radial, tangential and thin-prism distortion: OpenCV's pinhole model (`cv2.projectPoints`).

    Args:
        coefficients: k1, k2, p1, p2[, k3[, k4, k5, k6[, s1, s2, s3, s4]]].
    """

    def __init__(self, coefficients: Array) -> None:
        padded = np.zeros(12)
        padded[: len(coefficients)] = coefficients
        self._d = padded
        # Beyond the radius where the lens folds over, far directions would land in the image.
        r = np.linspace(0.0, _WIDEST, _STEPS)
        folds = np.flatnonzero(np.diff(r * self._gain(r * r)) <= 0)
        self._farthest = float(r[folds[0]] if folds.size else _WIDEST) ** 2

    def _gain(self, r2: Array) -> Array:
        k1, k2, _, _, k3, k4, k5, k6 = self._d[:8]
        above = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        below = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        return above / below

    def distort(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        _, _, p1, p2, _, _, _, _, s1, s2, s3, s4 = (float(k) for k in self._d)
        depth = np.where(z > 1e-6, z, np.nan)
        a, b = x / depth, y / depth
        r2 = a * a + b * b
        r2 = np.where(r2 < self._farthest, r2, np.nan)
        gain, ab = self._gain(r2), 2 * a * b
        u = a * gain + p1 * ab + p2 * (r2 + 2 * a * a) + r2 * (s1 + r2 * s2)
        v = b * gain + p2 * ab + p1 * (r2 + 2 * b * b) + r2 * (s3 + r2 * s4)
        return u, v

    def undistort(self, u: Array, v: Array) -> Array:
        points = np.stack([u, v], axis=-1).reshape(-1, 1, 2).astype(np.float64)
        a, b = cv2.undistortPoints(points, np.eye(3), self._d).reshape(-1, 2).T.astype(np.float64)
        goal_u, goal_v = points[:, 0].T
        with np.errstate(all="ignore"):
            for _ in range(_NEWTON_STEPS):  # OpenCV's few iterations leave some pixels at the rim
                a, b = self._improve(a, b, goal_u, goal_v)
            back_u, back_v = self.distort(a, b, np.ones_like(a))
            found = np.hypot(back_u - goal_u, back_v - goal_v) < 1e-5
        directions = np.stack([a, b, np.ones_like(a)], axis=-1)
        directions[~found] = np.nan
        return directions.reshape(*np.shape(u), 3)

    def _improve(self, a: Array, b: Array, u: Array, v: Array) -> tuple[Array, Array]:
        """One step of Newton towards the direction (a, b, 1) that is distorted to (u, v)."""
        one, h = np.ones_like(a), 1e-5
        at_u, at_v = self.distort(a, b, one)
        ua, va = self.distort(a + h, b, one)
        ub, vb = self.distort(a, b + h, one)
        uu, vu, uv, vv = (ua - at_u) / h, (va - at_v) / h, (ub - at_u) / h, (vb - at_v) / h
        du, dv, size = u - at_u, v - at_v, uu * vv - uv * vu
        return a + (vv * du - uv * dv) / size, b + (uu * dv - vu * du) / size


class FisheyeLens:
    """The radius is a polynomial of the angle off the axis: OpenCV's fisheye model.

    Kannala and Brandt, "A generic camera model and calibration method for conventional,
    wide-angle, and fish-eye lenses", 2006. Directions beyond 90 degrees are fine.
    """

    def __init__(self, k1: float, k2: float, k3: float, k4: float) -> None:
        self._k = k1, k2, k3, k4
        theta = np.linspace(0.0, np.pi, _STEPS)
        folds = np.flatnonzero(np.diff(self._radius(theta)) <= 0)
        self._widest = float(theta[folds[0]] if folds.size else np.pi)

    def _radius(self, theta: Array) -> Array:
        k1, k2, k3, k4 = self._k
        t2 = theta * theta
        return theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))

    def distort(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        across = np.hypot(x, y)
        theta = np.arctan2(across, z)
        theta = np.where(theta < self._widest, theta, np.nan)
        scale = self._radius(theta) / np.maximum(across, 1e-12)
        return x * scale, y * scale

    def undistort(self, u: Array, v: Array) -> Array:
        radius = np.hypot(u, v)
        grid = np.linspace(0.0, self._widest, _STEPS)
        theta = np.interp(radius, self._radius(grid), grid)
        for _ in range(3):  # Newton, from the table's value
            slope = (self._radius(theta + 1e-6) - self._radius(theta - 1e-6)) / 2e-6
            theta = theta - (self._radius(theta) - radius) / np.maximum(slope, 1e-3)
        theta = np.where(radius < self._radius(np.array(self._widest)), theta, np.nan)
        scale = np.sin(theta) / np.maximum(radius, 1e-12)
        return np.stack([u * scale, v * scale, np.cos(theta)], axis=-1)
