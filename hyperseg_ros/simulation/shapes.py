"""Outlines that many things share: upright rectangles, limbs, ellipses."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from hyperseg_ros.simulation.camera import Array


def upright(start: tuple[float, float], end: tuple[float, float], low: float, high: float) -> Array:
    """A vertical rectangle over a ground line from start to end (x, y), in street metres.

    Returns [4, 3]: top at start, top at end, bottom at end, bottom at start.
    """
    (x0, y0), (x1, y1) = start, end
    return np.array([(x0, y0, high), (x1, y1, high), (x1, y1, low), (x0, y0, low)], dtype=float)


def rectangle(left: float, top: float, right: float, bottom: float) -> Array:
    """A rectangle in the plane, [4, 2]."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=float)


def limb(a: tuple[float, float], b: tuple[float, float], wide_a: float, wide_b: float) -> Array:
    """A quad from a to b that tapers from width wide_a to wide_b, [4, 2]."""
    (ax, az), (bx, bz) = a, b
    size = 2 * max(math.hypot(bx - ax, bz - az), 1e-6)
    nx, nz = (az - bz) / size, (bx - ax) / size
    return np.array(
        [
            (ax + nx * wide_a, az + nz * wide_a),
            (bx + nx * wide_b, bz + nz * wide_b),
            (bx - nx * wide_b, bz - nz * wide_b),
            (ax - nx * wide_a, az - nz * wide_a),
        ]
    )


@cache
def circle(corners: int) -> Array:
    """The unit circle as a polygon, [corners, 2]."""
    turn = np.linspace(0, 2 * np.pi, corners + 1)[:-1]
    polygon = np.column_stack([np.cos(turn), np.sin(turn)])
    polygon.setflags(write=False)
    return polygon


def ellipse(center: tuple[float, float], rx: float, ry: float, corners: int = 10) -> Array:
    """An ellipse with half axes rx, ry as a polygon, [corners, 2]."""
    return circle(corners) * (rx, ry) + center
