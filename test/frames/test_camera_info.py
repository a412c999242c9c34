from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.frames.camera_info import fit_camera_info, image_size


def roi(x_offset: int = 0, y_offset: int = 0, height: int = 0, width: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        x_offset=x_offset, y_offset=y_offset, height=height, width=width, do_rectify=False
    )


def calibration(**changes: object) -> SimpleNamespace:
    """The fields of sensor_msgs/CameraInfo."""
    fields = {
        "height": 480,
        "width": 640,
        "distortion_model": "plumb_bob",
        "d": np.array([0.1, 0.2, 0, 0, 0]),
        "k": np.array([500.0, 0.5, 321.0, 0.0, 510.0, 243.0, 0.0, 0.0, 1.0]),
        "p": np.array([450.0, 0.0, 325.0, -45.0, 0.0, 460.0, 245.0, 1.0, 0.0, 0.0, 1.0, 0.0]),
        "binning_x": 0,
        "binning_y": 0,
        "roi": roi(),
    }
    return SimpleNamespace(**{**fields, **changes})


def project(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
    u, v, w = matrix @ point
    return np.array([u / w, v / w])


@given(
    st.integers(0, 300),
    st.integers(0, 200),
    st.integers(1, 340),
    st.integers(1, 280),
    st.integers(1, 1000),
    st.integers(1, 1000),
)
def test_a_point_is_projected_to_where_the_resized_part_shows_it(x, y, w, h, height, width):
    info = calibration()
    fitted = fit_camera_info(info, slice(y, y + h), slice(x, x + w), (height, width))
    point = np.array([0.3, -0.2, 2.0])
    # OpenCV's resize: the centre of a pixel is an integer.
    scale = np.array([width / w, height / h])
    for before, after, p in (
        (info.k.reshape(3, 3), fitted.k.reshape(3, 3), point),
        (info.p.reshape(3, 4), fitted.p.reshape(3, 4), np.append(point, 1.0)),
    ):
        expected = (project(before, p) - [x, y] + 0.5) * scale - 0.5
        assert project(after, p) == pytest.approx(expected, abs=1e-6)
    assert (fitted.height, fitted.width) == (height, width)
    assert image_size(fitted) == (height, width)
    assert fitted.d.tolist() == info.d.tolist()


def test_the_original_is_left_alone():
    info = calibration()
    before = copy.deepcopy(info)
    fit_camera_info(info, slice(0, 240), slice(0, 320), (60, 80))
    assert repr(info) == repr(before)


def test_a_driver_that_crops_and_bins_is_followed():
    cropped = roi(x_offset=100, y_offset=40, width=400, height=300)
    info = calibration(roi=cropped, binning_x=2, binning_y=2)
    assert image_size(info) == (150, 200)
    fitted = fit_camera_info(info, slice(0, 150), slice(0, 200), (150, 200))
    assert fitted.k[0] == 250.0
    assert fitted.k[2] == (321.0 - 100 + 0.5) / 2 - 0.5
    assert (fitted.binning_x, fitted.roi) == (0, roi())


def test_without_a_calibration_there_is_none():
    info = calibration(height=4, width=6, k=np.zeros(9), p=np.zeros(12))
    fitted = fit_camera_info(info, slice(0, 4), slice(0, 3), (8, 6))
    assert not fitted.k.any()
    assert not fitted.p.any()
