"""Where vehicles stand: the distance to their bodies, whatever ground they hide."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hyperseg_ros.simulation.camera import Array, Camera
from hyperseg_ros.simulation.vehicles import Vehicle


def nearest(camera: Camera, vehicles: Iterable[Vehicle], bearings: Array) -> Array:
    """Metres from below the camera to the nearest vehicle's outline from above.

    A body does not touch the ground beneath its bumpers, so a camera sees ground up to beyond the
    outline.

    Args:
        camera: a pinhole without roll.
        vehicles: those that count.
        bearings: radians from the camera's own direction to its right, [B].

    Returns:
        [B]; inf where no vehicle is.
    """
    forward, right = camera.axes[2, :2], camera.axes[0, :2]
    forward = forward / np.linalg.norm(forward)
    along = np.cos(bearings)[:, None] * forward + np.sin(bearings)[:, None] * right
    distances = np.full(len(bearings), np.inf)
    for vehicle in vehicles:
        corners = _outline(camera, vehicle)
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            distances = np.minimum(distances, _crossing(along, start, end))
    return distances


def _outline(camera: Camera, vehicle: Vehicle) -> Array:
    """The corners of a vehicle from above, relative to the camera, world x, y, [4, 2]."""
    across, length = vehicle.profile.width / 2, vehicle.profile.length / 2
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    corners = np.array([vehicle.x, vehicle.y]) + signs * (across, length)
    corners[:, 0] += camera.line.offset(corners[:, 1])
    return np.asarray(corners - camera.center[:2])


def _crossing(along: Array, start: Array, end: Array) -> Array:
    """Metres along rays from the origin to where they cross a segment, [B]; inf where none does.

    Args:
        along: unit directions, [B, 2].
        start, end: of the segment, [2].
    """
    edge = end - start
    across = along[:, 0] * edge[1] - along[:, 1] * edge[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (start[0] * edge[1] - start[1] * edge[0]) / across
        share = (start[0] * along[:, 1] - start[1] * along[:, 0]) / across
        meets = (distance > 0) & (share >= 0) & (share <= 1)
    return np.where(meets, distance, np.inf)
