"""Mounts and lenses: the same street, seen from elsewhere and bent."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from hyperseg_ros.simulation import Lens, Mount, StreetCamera
from hyperseg_ros.simulation.labels import ROAD, SKY

FISHEYE = Lens("equidistant", (-0.01, 0.002, 0.0, 0.0), focal=190.0)
BARREL = Lens("plumb_bob", (-0.25, 0.06, 0.001, -0.0005, 0.0))


def test_the_mount_of_the_seed_is_the_default() -> None:
    street = StreetCamera(seed=5, width=160, height=120)
    again = StreetCamera(seed=5, width=160, height=120, mount=street.mount)
    np.testing.assert_array_equal(street.frame(3).image, again.frame(3).image)
    np.testing.assert_array_equal(street.frame(3).labels, again.frame(3).labels)


def test_the_exact_pose_bobs_about_the_nominal_one() -> None:
    street = StreetCamera(seed=6, width=64, height=48)
    poses = [street.pose(index) for index in range(0, 300, 7)]
    pitches = np.degrees([pose.pitch - street.mount.pitch for pose in poses])
    heights = np.array([pose.height - street.mount.height for pose in poses])
    assert 0.2 < pitches.max() < 0.6
    assert -0.6 < pitches.min() < -0.2
    assert 0.005 < np.abs(heights).max() < 0.03


@pytest.mark.parametrize("pitch", [-60, 60])
@pytest.mark.parametrize("height", [0.05, 20])
def test_the_suspension_moves_a_mount_at_its_limits_too(height: float, pitch: float) -> None:
    mount = Mount(height, pitch=math.radians(pitch))
    street = StreetCamera(seed=6, width=64, height=48, mount=mount)
    poses = [street.pose(index) for index in range(0, 300, 7)]
    assert min(pose.height for pose in poses) < height < max(pose.height for pose in poses)
    assert min(pose.pitch for pose in poses) < mount.pitch < max(pose.pitch for pose in poses)
    assert all(abs(pose.height - height) < 0.03 for pose in poses)
    assert street.frame(7).labels.shape == (48, 64)


def test_pitch_down_raises_the_horizon_and_height_lowers_the_road() -> None:
    def sky(mount: Mount) -> float:
        return float((StreetCamera(3, 160, 120, mount=mount).frame(9).labels == SKY).mean())

    assert sky(Mount(1.3, pitch=0.2)) < sky(Mount(1.3)) < sky(Mount(1.3, pitch=-0.2))
    low, high = (StreetCamera(3, 160, 120, mount=Mount(height)) for height in (0.4, 2.5))
    assert low.pose(9).height < 0.45
    assert high.pose(9).height > 2.45
    assert not np.array_equal(low.frame(9).labels, high.frame(9).labels)


def test_roll_to_the_right_turns_the_picture_to_the_left() -> None:
    level = StreetCamera(4, 160, 160, mount=Mount(1.3)).frame(9).labels
    rolled = StreetCamera(4, 160, 160, mount=Mount(1.3, roll=math.radians(10))).frame(9).labels
    # What is level in the world rises to the right in the picture.
    turn = cv2.getRotationMatrix2D((79.5, 79.5), 10, 1.0)
    turned = cv2.warpAffine(level, turn, (160, 160), flags=cv2.INTER_NEAREST, borderValue=255)
    inside = turned != 255
    assert (turned == rolled)[inside].mean() > 0.95


@pytest.mark.parametrize("lens", [FISHEYE, BARREL], ids=["fisheye", "barrel"])
def test_a_lens_puts_things_where_opencv_projects_them(lens: Lens) -> None:
    plain = StreetCamera(7, 320, 240, mount=Mount(1.3, pitch=0.05))
    bent = StreetCamera(7, 320, 240, mount=Mount(1.3, pitch=0.05), lens=lens)
    focal, k = plain.intrinsics.fx, bent.intrinsics
    flat, labels = plain.frame(4).labels, bent.frame(4).labels
    rows, columns = np.mgrid[20:220:7, 20:300:7]
    rays = np.stack([(columns - 159.5) / focal, (rows - 119.5) / focal, np.ones(rows.shape)], -1)
    matrix = np.array([(k.fx, 0, k.cx), (0, k.fy, k.cy), (0, 0, 1)])
    zero, d = np.zeros(3), np.array(lens.coefficients)
    points = rays.reshape(-1, 1, 3)
    if lens.model == "equidistant":
        pixels, _ = cv2.fisheye.projectPoints(points, zero, zero, matrix, d)
    else:
        pixels, _ = cv2.projectPoints(points, zero, zero, matrix, d)
    u, v = np.rint(pixels.reshape(-1, 2)).astype(int).T
    agree = labels[v, u] == flat[rows.ravel(), columns.ravel()]
    assert agree.mean() > (0.9 if lens is FISHEYE else 0.96)  # pixels of the fisheye are coarse


def test_a_lens_has_its_own_focal_length_and_sees_more() -> None:
    street = StreetCamera(7, 320, 240, mount=Mount(1.3), lens=FISHEYE)
    frame = street.frame(2)
    assert street.intrinsics.fx == 190.0
    assert street.lens is FISHEYE
    assert frame.image.shape == (240, 320, 3)
    assert (frame.labels[220:, 100:220] == ROAD).mean() > 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mount(0.0), "0.05 to 20 m high, not 0"),
        (lambda: Mount(1.0, roll=2.0), "60 degrees at most"),
        (lambda: Mount(math.nan), "not nan"),
        (lambda: Lens("mirror", ()), "no lens 'mirror'"),
        (lambda: Lens("equidistant", (), focal=0.0), "more than 1 pixel"),
        (lambda: StreetCamera(0, 640, 480, lens=Lens("equidistant", (), 150.0)), "70 degrees"),
    ],
)
def test_what_cannot_be(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
