"""Lenses against OpenCV's, and there and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from calibrations import LENSES
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.geometry.errors import CalibrationError
from hyperseg_ros.geometry.lens import make_lens


def directions(widest: float, count: int = 400) -> np.ndarray:
    """Directions up to an angle off the axis, radians, float64 [N, 3]."""
    rng = np.random.default_rng(3)
    theta, turn = rng.uniform(0, widest, count), rng.uniform(0, 2 * np.pi, count)
    return np.stack(
        [np.sin(theta) * np.cos(turn), np.sin(theta) * np.sin(turn), np.cos(theta)], axis=1
    )


@pytest.mark.parametrize("name", ["plumb_bob", "rational_polynomial"])
def test_pinhole_distortion_is_opencvs(name):
    seen = directions(0.7)
    u, v = make_lens(*LENSES[name]).distort(*seen.T)
    zero = np.zeros(3)
    expected, _ = cv2.projectPoints(seen, zero, zero, np.eye(3), np.array(LENSES[name][1]))
    np.testing.assert_allclose(np.stack([u, v], 1), expected[:, 0], atol=1e-12)


def test_thin_prism_is_opencvs():
    d = (-0.2, 0.05, 0.001, 0.002, 0.0, 0.01, 0.0, 0.0, 0.003, -0.001, 0.002, 0.004)
    seen = directions(0.6)
    u, v = make_lens("rational_polynomial", d).distort(*seen.T)
    expected, _ = cv2.projectPoints(seen, np.zeros(3), np.zeros(3), np.eye(3), np.array(d))
    np.testing.assert_allclose(np.stack([u, v], 1), expected[:, 0], atol=1e-12)


def test_fisheye_distortion_is_opencvs():
    seen = directions(1.4)
    u, v = make_lens(*LENSES["equidistant"]).distort(*seen.T)
    expected, _ = cv2.fisheye.projectPoints(
        seen[:, None], np.zeros(3), np.zeros(3), np.eye(3), np.array(LENSES["equidistant"][1])
    )
    np.testing.assert_allclose(np.stack([u, v], 1), expected[:, 0], atol=1e-9)


@pytest.mark.parametrize(("name", "widest"), [*((n, 0.7) for n in LENSES), ("equidistant", 1.8)])
def test_undistort_undoes_distort(name, widest):
    lens, seen = make_lens(*LENSES[name]), directions(widest)
    back = lens.undistort(*lens.distort(*seen.T))
    back /= np.linalg.norm(back, axis=1, keepdims=True)
    np.testing.assert_allclose(back, seen, atol=1e-6)


@pytest.mark.parametrize("name", ["none", "plumb_bob", "rational_polynomial"])
def test_nothing_behind_a_pinhole_camera_is_seen(name):
    u, _ = make_lens(*LENSES[name]).distort(*np.array([[0.1, 0.0, -1.0], [0.1, 0.0, 0.0]]).T)
    assert np.isnan(u).all()


def test_a_lens_that_folds_over_sees_nothing_beyond():
    lens = make_lens("plumb_bob", (-0.3, 0.0, 0.0, 0.0, 0.0))  # r - 0.3 r^3 grows up to r = 1.05
    u, _ = lens.distort(*np.array([[1.0, 0.0, 1.0], [1.1, 0.0, 1.0], [2.0, 0.0, 1.0]]).T)
    assert np.isfinite(u).tolist() == [True, False, False]


@pytest.mark.parametrize("name", ["", "none", "plumb_bob", "rational_polynomial"])
@pytest.mark.parametrize("d", [(), (0.0,) * 5, (0.0,) * 14])
def test_no_coefficients_are_no_distortion(name, d):
    u, v = make_lens(name, d).distort(*np.array([[0.2], [0.3], [2.0]]))
    np.testing.assert_allclose([u[0], v[0]], [0.1, 0.15])


@pytest.mark.parametrize(
    ("name", "d", "words"),
    [
        ("", (0.1, 0.0, 0.0, 0.0, 0.0), "no distortion_model"),
        ("omnidirectional", (0.0,) * 5, "unknown distortion_model 'omnidirectional'"),
        ("plumb_bob", (0.1, 0.2), "has 2"),
        ("plumb_bob", (0.1,) * 8, "4 to 5 coefficients"),
        ("equidistant", (0.1,) * 5, "has 5"),
        ("plumb_bob", (float("nan"),) * 5, "not finite"),
        ("rational_polynomial", (0.1,) * 14, "tilted sensor"),
    ],
)
def test_what_is_no_lens(name, d, words):
    with pytest.raises(CalibrationError, match=words):
        make_lens(name, d)


@given(
    st.sampled_from(
        ["", "none", "plumb_bob", "rational_polynomial", "equidistant", "fisheye", "x"]
    ),
    st.lists(st.floats(), max_size=15),
)
def test_any_coefficients_are_a_lens_or_one_clear_error(name, d):
    try:
        lens = make_lens(name, d)
    except CalibrationError:
        return
    with np.errstate(all="ignore"):
        u, v = lens.distort(*directions(1.5).T)
    assert u.shape == v.shape == (400,)
