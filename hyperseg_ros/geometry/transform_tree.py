"""Frames that are fixed to each other, and a camera's pose along them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.geometry.errors import PoseError
from hyperseg_ros.geometry.pose import Pose, rotation_of


@dataclass(frozen=True)
class Transform:
    """Where a frame is in its parent, as a geometry_msgs/TransformStamped says it."""

    parent: str
    translation: Sequence[float]
    """x, y, z in metres."""
    quaternion: Sequence[float]
    """x, y, z, w."""


def pose_along(transforms: Mapping[str, Transform], camera: str, ground: str) -> Pose:
    """The pose of a camera's optical frame in a ground frame.

    Args:
        transforms: by the name of the frame.
        camera, ground: names of frames.

    Raises:
        PoseError: the frames are not joined, or the camera is not above the ground.
    """
    of_camera, of_ground = _up(transforms, camera), _up(transforms, ground)
    common = next((frame for frame in of_camera if frame in of_ground), None)
    if common is None:
        raise PoseError(f"nothing joins the frames {camera or 'without a name'} and {ground}")
    matrix = np.linalg.inv(of_ground[common]) @ of_camera[common]
    x, y, z = (float(value) for value in matrix[:3, 3])
    a, b, c = ((float(r[0]), float(r[1]), float(r[2])) for r in matrix[:3, :3])
    return Pose((x, y, z), (a, b, c))


def _up(transforms: Mapping[str, Transform], frame: str) -> dict[str, NDArray[np.float64]]:
    """By each frame from `frame` up to the root, where `frame` is in it, float64 [4, 4]."""
    found = {frame: np.eye(4)}
    at = frame
    while at in transforms:
        step = transforms[at]
        if step.parent in found:
            raise PoseError(f"the frames {at} and {step.parent} are in a ring")
        matrix = np.eye(4)
        matrix[:3, :3] = rotation_of(step.quaternion)
        matrix[:3, 3] = step.translation
        found[step.parent] = matrix @ found[at]
        at = step.parent
    return found
