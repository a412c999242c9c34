"""Poses: mounts, transforms, and what is no pose."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.geometry import Pose, PoseError

ANGLES = st.floats(-1.4, 1.4)


def test_a_level_camera_looks_along_x_with_its_right_to_minus_y():
    right, down, forward = Pose.mounted(0, 0, 1).matrix.T
    np.testing.assert_allclose(forward, [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(right, [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(down, [0, 0, -1], atol=1e-12)


def test_pitch_is_down_yaw_left_and_roll_to_the_right():
    down = Pose.mounted(0, 0, 1, pitch=0.2).matrix[:, 2]
    left = Pose.mounted(0, 0, 1, yaw=0.2).matrix[:, 2]
    rolled = Pose.mounted(0, 0, 1, roll=0.2).matrix[:, 0]  # the camera's right sinks
    np.testing.assert_allclose(down, [math.cos(0.2), 0, -math.sin(0.2)], atol=1e-12)
    np.testing.assert_allclose(left, [math.cos(0.2), math.sin(0.2), 0], atol=1e-12)
    np.testing.assert_allclose(rolled, [0, -math.cos(0.2), -math.sin(0.2)], atol=1e-12)


@given(ANGLES, ANGLES, st.floats(-3.1, 3.1))
def test_angles_and_quaternion_lead_back_to_the_pose(roll, pitch, yaw):
    pose = Pose.mounted(1, 2, 3, roll, pitch, yaw)
    np.testing.assert_allclose(pose.roll_pitch_yaw, (roll, pitch, yaw), atol=1e-9)
    again = Pose.from_transform(pose.position, pose.quaternion)
    np.testing.assert_allclose(again.matrix, pose.matrix, atol=1e-6)


def test_the_usual_optical_rotation_is_a_level_camera():
    # As URDFs of cameras have it: rpy = (-pi/2, 0, -pi/2).
    pose = Pose.from_transform((0.1, 0.2, 0.3), (-0.5, 0.5, -0.5, 0.5))
    np.testing.assert_allclose(pose.matrix, Pose.mounted(0, 0, 1).matrix, atol=1e-12)
    assert pose.height == 0.3


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0, 0, -0.4), "at or below the ground: z is -0.4;"),
        ((0, 0, 0), "at or below the ground: z is 0;"),
        ((math.nan, 0, 1), "finite"),
        ((0, 0, 1e200), r"at \(0.0, 0.0, 1e\+200\) in the ground frame: give its place in metres"),
    ],
)
def test_what_is_no_pose(numbers, words):
    with pytest.raises(PoseError, match=words):
        Pose.mounted(*numbers)


@given(st.tuples(*[st.floats()] * 3), st.tuples(*[st.floats()] * 4))
def test_any_transform_is_a_pose_or_one_clear_error(translation, quaternion):
    try:
        pose = Pose.from_transform(translation, quaternion)
    except PoseError:
        return
    assert pose.height > 0
    np.testing.assert_allclose(np.linalg.det(pose.matrix), 1, atol=1e-3)
