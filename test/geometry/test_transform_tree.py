from __future__ import annotations

import math

import numpy as np
import pytest

from hyperseg_ros.geometry import Pose, PoseError
from hyperseg_ros.geometry.transform_tree import Transform, pose_along

# From the body frame (forward, left, up) to the optical frame (right, down, forward).
OPTICAL = Transform("camera", (0, 0, 0), (-0.5, 0.5, -0.5, 0.5))
UPRIGHT = (0.0, 0.0, 0.0, 1.0)


def about(axis: int, angle: float) -> list[float]:
    quaternion = [0.0, 0.0, 0.0, math.cos(angle / 2)]
    quaternion[axis] = math.sin(angle / 2)
    return quaternion


def test_the_pose_is_that_of_the_mount():
    transforms = {
        "optical": OPTICAL,
        "camera": Transform("mast", (0.2, 0.0, 1.0), about(1, 0.1)),
        "mast": Transform("base_link", (1.0, -0.3, 0.5), about(2, 0.4)),
    }
    pose = pose_along(transforms, "optical", "base_link")
    expected = Pose.mounted(1.0 + 0.2 * math.cos(0.4), -0.3 + 0.2 * math.sin(0.4), 1.5, 0, 0.1, 0.4)
    np.testing.assert_allclose(pose.position, expected.position, atol=1e-12)
    np.testing.assert_allclose(pose.matrix, expected.matrix, atol=1e-12)


def test_the_ground_frame_may_be_below_the_root_or_beside_the_camera():
    transforms = {
        "optical": OPTICAL,
        "camera": Transform("base_link", (1.0, 0.0, 1.2), UPRIGHT),
        "base_footprint": Transform("base_link", (0.0, 0.0, -0.3), UPRIGHT),
        "base_link": Transform("odom", (7.0, 8.0, 9.0), about(2, 1.0)),
    }
    pose = pose_along(transforms, "optical", "base_footprint")
    np.testing.assert_allclose(pose.position, (1.0, 0.0, 1.5), atol=1e-12)


@pytest.mark.parametrize(
    ("transforms", "said"),
    [
        ({}, "nothing joins the frames optical and base_link"),
        ({"optical": OPTICAL}, "nothing joins"),
        (
            {"optical": OPTICAL, "camera": Transform("optical", (0, 0, 0), UPRIGHT)},
            "in a ring",
        ),
        ({"optical": Transform("base_link", (0, 0, 1), (0, 0, 0, 0))}, "quaternion of length 0"),
        ({"optical": Transform("base_link", (0, 0, -1), UPRIGHT)}, "at or below the ground"),
    ],
)
def test_what_is_no_pose_is_told(transforms, said):
    with pytest.raises(PoseError, match=said):
        pose_along(transforms, "optical", "base_link")
