"""The camera model of a CameraInfo: binning, regions, resizing, and what is no calibration."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from calibrations import LENSES, camera_info
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.geometry import CalibrationError, CameraModel
from hyperseg_ros.geometry.camera import image_size


def test_pixels_of_a_plain_camera():
    camera = CameraModel.of(camera_info())
    u, v = camera.project(np.array([[0.2, -0.1, 2.0]]))
    np.testing.assert_allclose([u[0], v[0]], [322.75 + 50, 234.0 - 25.25])


@pytest.mark.parametrize("lens", LENSES)
def test_directions_are_those_that_project_there(lens):
    camera = CameraModel.of(camera_info(lens))
    columns, rows = np.meshgrid(np.linspace(0, 639, 9), np.linspace(0, 479, 9))
    u, v = camera.project(camera.directions(columns, rows))
    np.testing.assert_allclose(u, columns, atol=0.01)
    np.testing.assert_allclose(v, rows, atol=0.01)


def test_a_binned_and_cropped_camera_sees_the_same_directions():
    whole = CameraModel.of(camera_info())
    info = camera_info(
        binning_x=2,
        binning_y=4,
        roi=SimpleNamespace(x_offset=100, y_offset=60, width=320, height=400),
    )
    part = CameraModel.of(info)
    assert (part.height, part.width) == image_size(info) == (100, 160)
    # The pixel of a binned image covers 2 x 4 of the whole: its centre is between them.
    u, v = whole.project(part.directions(np.array([10.0]), np.array([20.0])))
    np.testing.assert_allclose([u[0], v[0]], [100 + 2 * 10 + 0.5, 60 + 4 * 20 + 1.5])


@given(
    st.integers(0, 300), st.integers(0, 200), st.integers(20, 300), st.integers(20, 250),
    st.integers(1, 700), st.integers(1, 700),
)  # fmt: skip
def test_a_resized_region_sees_the_same_directions(x, y, width, height, wide, high):
    whole = CameraModel.of(camera_info("plumb_bob"))
    part = whole.fitted((high, wide), slice(y, y + height), slice(x, x + width))
    seen = np.array([[0.1, 0.05, 1.0]])
    (u, v), (a, b) = whole.project(seen), part.project(seen)
    np.testing.assert_allclose(a + 0.5, (u + 0.5 - x) * wide / width)
    np.testing.assert_allclose(b + 0.5, (v + 0.5 - y) * high / height)


def test_rectified_images_go_by_the_projection_matrix_without_distortion():
    camera = CameraModel.of(camera_info("plumb_bob"), rectified=True)
    u, _ = camera.project(np.array([[0.5, 0.0, 1.0]]))
    np.testing.assert_allclose(u[0], 322.75 + 0.5 * 450)


@pytest.mark.parametrize("lens", LENSES)
def test_rays_are_what_depth_is_multiplied_with(lens):
    camera = CameraModel.of(camera_info(lens, width=64, height=48, fx=60.0))
    rays = camera.rays()
    assert rays.shape == (48, 64, 2)
    assert rays.dtype == np.float32
    points = np.concatenate([rays * 3.0, np.full((48, 64, 1), 3.0)], axis=-1)
    u, v = camera.project(points)
    rows, columns = np.mgrid[:48, :64]
    known = ~np.isnan(rays[..., 0])
    assert known.mean() > 0.95
    np.testing.assert_allclose(u[known], columns[known], atol=0.02)
    np.testing.assert_allclose(v[known], rows[known], atol=0.02)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": [0.0] * 9}, "not calibrated"),
        ({"k": [float("nan")] * 9}, "not finite"),
        ({"width": 0}, "width or height is 0"),
        ({"distortion_model": "", "d": [0.1] * 5}, "no distortion_model"),
        ({"distortion_model": "kalibr_fov", "d": [0.1]}, "'kalibr_fov'"),
    ],
)
def test_what_is_no_calibration(changes, words):
    with pytest.raises(CalibrationError, match=words):
        CameraModel.of(camera_info(**changes))


def test_images_of_another_size_are_refused_by_both_sizes():
    with pytest.raises(CalibrationError, match=r"640 x 480 pixels, the images have 320 x 240"):
        CameraModel.of(camera_info()).check_size((240, 320))


@given(
    st.lists(st.floats(), min_size=9, max_size=9),
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_any_matrix_is_a_camera_or_one_clear_error(k, width, height, binning_x, binning_y):
    info = camera_info(k=k, width=width, height=height, binning_x=binning_x, binning_y=binning_y)
    try:
        camera = CameraModel.of(info)
    except CalibrationError:
        return
    assert min(camera.fx, camera.fy, camera.width, camera.height) > 0
