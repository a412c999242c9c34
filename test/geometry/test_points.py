"""Labelled points of depth images and clouds."""

from __future__ import annotations

import numpy as np
import pytest
from calibrations import LENSES, camera_info
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.geometry import CameraModel, DepthError
from hyperseg_ros.geometry.points import (
    POINT,
    LabelledPoints,
    has_depth,
    of_cloud,
    read_cloud,
    read_depth,
)

OFFSETS = {"x": 0, "y": 4, "z": 8}


def random_frame(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    labels, confidence = rng.integers(0, 256, (2, height, width), np.uint8)
    return labels, confidence, rng.integers(0, 256, (height, width, 3), np.uint8)


def test_millimetres_become_metres_and_zero_no_depth():
    raw = np.array([[0, 1000], [65535, 250]], "<u2")
    depth = read_depth(raw.tobytes(), 2, 2, "16UC1")
    np.testing.assert_allclose(depth, [[np.nan, 1.0], [65.535, 0.25]], rtol=1e-6)


def test_metres_stay_and_what_is_no_depth_is_nan():
    raw = np.array([[0.0, 1.5, -2.0], [np.nan, np.inf, -np.inf]], "<f4")
    depth = read_depth(raw.tobytes(), 2, 3, "32FC1")
    np.testing.assert_allclose(depth, [[np.nan, 1.5, np.nan], [np.nan] * 3])


def test_padded_and_big_endian_rows_are_read():
    raw = np.zeros((3, 10), ">u2")
    raw[:, :7] = np.arange(1, 22).reshape(3, 7)
    depth = read_depth(raw.tobytes(), 3, 7, "16UC1", step=20, big_endian=True)
    np.testing.assert_allclose(depth, np.arange(1, 22).reshape(3, 7) / 1000, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "bgr8"}, "16UC1 or mono16 or 32FC1, not 'bgr8'"),
        ({"height": 5}, "have 24 bytes|has 24 bytes"),
        ({"step": 3}, "rows of 3 bytes"),
        ({"width": 0}, "0 x 3"),
    ],
)
def test_what_is_no_depth_image(changes, words):
    fields = {"data": bytes(24), "height": 3, "width": 4, "encoding": "16UC1", **changes}
    with pytest.raises(DepthError, match=words):
        read_depth(**fields)


@pytest.mark.parametrize("lens", LENSES)
def test_points_of_a_depth_image_project_back_to_their_pixels(lens):
    camera = CameraModel.of(camera_info(lens, width=64, height=48, fx=60.0))
    depth = np.random.default_rng(0).uniform(0.5, 9, (48, 64)).astype(np.float32)
    depth[5:8] = np.nan
    labels, confidence, image = random_frame(48, 64)
    points = LabelledPoints(camera).of_depth(depth, labels, confidence, image)
    assert points.dtype == POINT
    xyz = np.stack([points[name] for name in "xyz"], axis=-1).astype(float)
    known = np.isfinite(xyz).all(axis=-1)
    assert known[10:40, 10:50].all()
    assert not known[5:8].any()
    u, v = camera.project(xyz[known])
    rows, columns = np.nonzero(known)
    np.testing.assert_allclose(u, columns, atol=0.02)
    np.testing.assert_allclose(v, rows, atol=0.02)
    np.testing.assert_array_equal(points["z"][known], depth[known])
    np.testing.assert_array_equal(points["label"], labels)
    np.testing.assert_array_equal(points["confidence"], confidence)
    blue, green, red = np.moveaxis(image.astype(np.uint32), -1, 0)
    np.testing.assert_array_equal(points["rgb"], red << 16 | green << 8 | blue)


def test_the_points_of_a_frame_are_written_where_asked():
    camera = CameraModel.of(camera_info(width=8, height=6))
    out = np.empty((6, 8), POINT)
    frame = random_frame(6, 8)
    depth = np.ones((6, 8), np.float32)
    assert LabelledPoints(camera).of_depth(depth, *frame, out=out) is out


def test_depth_of_another_size_is_refused():
    camera = CameraModel.of(camera_info(width=8, height=6))
    with pytest.raises(DepthError, match=r"depth image is 4 x 3, the labels have 8 x 6"):
        LabelledPoints(camera).of_depth(np.ones((3, 4), np.float32), *random_frame(6, 8))


def test_an_organized_cloud_gets_labels():
    rng = np.random.default_rng(2)
    raw = np.zeros((6, 8), np.dtype({"names": ["z", "y", "x"], "formats": ["<f4"] * 3,
                                     "offsets": [4, 12, 20], "itemsize": 32}))  # fmt: skip
    for name in "xyz":
        raw[name] = rng.normal(size=(6, 8))
    cloud = read_cloud(raw.tobytes(), 6, 8, 32, 8 * 32, {"x": 20, "y": 12, "z": 4})
    labels, confidence, image = random_frame(6, 8)
    points = of_cloud(cloud, labels, confidence, image)
    for name in "xyz":
        np.testing.assert_array_equal(points[name], raw[name])
    np.testing.assert_array_equal(points["label"], labels)
    with pytest.raises(DepthError, match=r"cloud is 8 x 6, the labels have 5 x 4"):
        of_cloud(cloud, *random_frame(4, 5))


def test_points_at_the_camera_are_no_points():
    raw = np.zeros((3, 4, 3), "<f4")
    raw[0, 1], raw[1, 2], raw[2, 3] = (0, 0, 2.0), (0, -1.0, 0), (1.5, 0, 0)
    cloud = read_cloud(raw.tobytes(), 3, 4, 12, 48, OFFSETS)
    there = np.eye(3, 4, 1, dtype=bool)
    np.testing.assert_array_equal(cloud[there], raw[there])
    assert np.isnan(cloud[~there]).all()
    points = of_cloud(cloud, *random_frame(3, 4))
    assert has_depth(points)
    assert not has_depth(points[:, :1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"offsets": {"x": 0, "y": 4}}, "no FLOAT32 field z"),
        ({"height": 1}, "not organized"),
        ({"point_step": 8}, "points of 8 bytes"),
        ({"row_step": 10}, "rows of 10"),
        ({"data": bytes(10)}, "10 bytes"),
    ],
)
def test_what_is_no_organized_cloud(changes, words):
    fields = {"data": bytes(2 * 3 * 12), "height": 2, "width": 3, "point_step": 12, "row_step": 36}
    with pytest.raises(DepthError, match=words):
        read_cloud(**{**fields, "offsets": OFFSETS, **changes})


@given(
    st.binary(max_size=200),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from(["16UC1", "32FC1", "mono8", ""]),
    st.integers(0, 40),
    st.booleans(),
)
def test_any_depth_image_is_read_or_refused(data, height, width, encoding, step, big_endian):
    try:
        depth = read_depth(data, height, width, encoding, step, big_endian)
    except DepthError:
        return
    assert depth.shape == (height, width)
    assert (np.isnan(depth) | ((depth > 0) & np.isfinite(depth))).all()


@given(st.binary(max_size=300), *[st.integers(0, 40)] * 4, st.booleans())
def test_any_cloud_is_read_or_refused(data, height, width, point_step, row_step, big_endian):
    try:
        cloud = read_cloud(data, height, width, point_step, row_step, OFFSETS, big_endian)
    except DepthError:
        return
    assert cloud.shape == (height, width, 3)
