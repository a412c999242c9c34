"""The truth about free space: how far the ground goes before something stands on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.camera import Array, Camera
from hyperseg_ros.simulation.painter import Image

GROUND = (labels.ROAD, labels.PAVEMENT)
NEAREST = math.radians(50)  # below the horizon; ground nearer to the camera is not looked at
FARTHEST_ASIDE = math.radians(65)  # from the camera's own direction


@dataclass(frozen=True)
class Distances:
    """What stands on the ground along each bearing; arrays are [B]."""

    ranges: NDArray[np.float64]
    """Metres on the ground from below the camera to the first thing that hides it, or is there in
    its place; inf where there is none up to the range asked for."""
    labels: NDArray[np.uint8]
    """Class of that thing; `UNLABELLED` where there is none."""


def widened(camera: Camera, bearings: Array) -> Camera:
    """A camera that sees all ground along some bearings, pixel for pixel where the given one does.

    Args:
        camera: a pinhole without roll.
        bearings: radians from the camera's own direction to its right; within `FARTHEST_ASIDE`.

    Raises:
        ValueError: a bearing is farther aside.
    """
    if not np.abs(bearings).max() <= FARTHEST_ASIDE:
        raise ValueError(
            f"bearings must be within {math.degrees(FARTHEST_ASIDE):.0f} degrees of the camera's "
            "own direction"
        )
    # Looking up, a bearing lies farther out in the picture the nearer the ground is.
    sin, cos = math.sin(camera.pitch), math.cos(camera.pitch)
    spread = 1 / max(min(cos, cos - sin * math.tan(NEAREST)), 0.3)
    aside = math.ceil(camera.fx * float(np.abs(np.tan(bearings)).max()) * spread) + 2
    pad = max(0, aside - math.floor(min(camera.cx, camera.width - 1 - camera.cx)))
    top = max(0, math.floor(camera.horizon) - 1)
    bottom = camera.cy + camera.fy * math.tan(min(NEAREST + camera.pitch, math.radians(75)))
    return replace(
        camera,
        width=camera.width + 2 * pad,
        height=max(math.ceil(bottom), math.ceil(camera.horizon) + 2) - top,
        cx=camera.cx + pad,
        cy=camera.cy - top,
    )


def measure(camera: Camera, picture: Image, bearings: Array, max_range: float) -> Distances:
    """Reads the distances off the labels of a widened camera.

    A row and a bearing meet in one ground point, so each bearing is read row by row upwards; the
    first row that is not ground ends it at the row's lower edge.

    Args:
        camera: of the labels.
        picture: the labels, uint8 [H, W].
        bearings: radians to the right, [B].
        max_range: metres.
    """
    first = max(math.floor(camera.horizon) + 1, 0)
    rows = np.arange(camera.height - 1, first - 1, -1)
    ranges, columns = _along(camera, rows.astype(np.float64), bearings)
    edges, _ = _along(camera, rows + 0.5, bearings)
    column = np.rint(np.clip(columns, -1, camera.width)).astype(np.intp)
    inside = (column >= 0) & (column < camera.width) & (ranges > 0)
    seen = picture[rows[:, None], np.clip(column, 0, camera.width - 1)]
    blocked = inside & ~np.isin(seen, GROUND)
    hit = blocked.argmax(axis=0)
    each = np.arange(len(bearings))
    distance = np.where(blocked.any(axis=0), edges[hit, each], np.inf)
    beyond = ~(distance <= max_range)
    return Distances(
        np.where(beyond, np.inf, np.maximum(distance, 0.0)),
        np.where(beyond, UNLABELLED, seen[hit, each]).astype(np.uint8),
    )


def _along(camera: Camera, rows: Array, bearings: Array) -> tuple[Array, Array]:
    """Metres on the ground and columns where rows [R] and bearings [B] meet, [R, B]."""
    sin, cos = math.sin(camera.pitch), math.cos(camera.pitch)
    slant = ((rows - camera.cy) / camera.fy)[:, None]
    ahead = np.cos(bearings)
    # A ground point at range r has the depth r * ahead * cos - z * sin and is below the axis by
    # r * ahead * sin + z * cos; their ratio is the slant.
    below = slant * cos - sin
    ranges = camera.z * (cos + slant * sin) / np.where(below > 1e-9, below * ahead, np.nan)
    depth = ranges * ahead * cos - camera.z * sin
    columns = camera.cx + camera.fx * ranges * np.sin(bearings) / np.maximum(depth, 1e-6)
    return np.nan_to_num(ranges, nan=np.inf), np.nan_to_num(columns, nan=-1.0)


def nearest_of_beams(distances: Distances, beams: int) -> Distances:
    """The nearest of the bearings of each beam: of [beams * n], n after n."""
    ranges = distances.ranges.reshape(beams, -1)
    nearest = ranges.argmin(axis=1)
    each = np.arange(beams)
    return Distances(ranges[each, nearest], distances.labels.reshape(beams, -1)[each, nearest])
