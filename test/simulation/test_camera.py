"""The pinhole camera: projection, clipping, and the ground seen by rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.simulation import StreetCamera
from hyperseg_ros.simulation.camera import NEAR, Camera, CenterLine, clip_near

STRAIGHT = CenterLine((0.0, 0.0), (80.0, 40.0), (0.0, 0.0))
WINDING = CenterLine((10.0, 1.0), (80.0, 40.0), (0.3, 1.2))


def make(line: CenterLine = STRAIGHT, yaw: float = 0.0, pitch: float = 0.0) -> Camera:
    return Camera(
        width=640,
        height=480,
        fx=500.0,
        fy=500.0,
        cx=319.5,
        cy=239.5,
        line=line,
        x=-1.5,
        y=40.0,
        z=1.4,
        yaw=yaw,
        pitch=pitch,
    )


def test_projection_is_the_pinhole_formula() -> None:
    pixels, depths = make().project(np.array([[0.5, 60.0, 0.4], [-1.5, 50.0, 1.4]]))
    # 2 m right, 20 m ahead, 1 m down; and straight ahead.
    np.testing.assert_allclose(depths, [20.0, 10.0])
    np.testing.assert_allclose(pixels, [[319.5 + 50, 239.5 + 25], [319.5, 239.5]])


def test_yaw_turns_right_and_pitch_up() -> None:
    ahead = np.array([[-1.5, 60.0, 1.4]])
    (turned,), _ = make(yaw=0.1).project(ahead)
    (raised,), _ = make(pitch=0.1).project(ahead)
    np.testing.assert_allclose(turned, [319.5 - 500 * np.tan(0.1), 239.5])
    np.testing.assert_allclose(raised, [319.5, 239.5 + 500 * np.tan(0.1)])


def test_horizon_is_where_far_ground_goes() -> None:
    camera = make(pitch=0.03)
    pixels, _ = camera.project(np.array([[-1.5, 1e6, 0.0]]))
    assert pixels[0, 1] == pytest.approx(camera.horizon, abs=0.01)


def test_axes_are_right_handed_and_orthonormal() -> None:
    axes = make(yaw=0.2, pitch=-0.1).axes
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.cross(axes[0], axes[1]), axes[2], atol=1e-12)


@given(
    x=st.floats(-4, 4),
    ahead=st.floats(4, 25),
    yaw=st.floats(-0.06, 0.06),
    pitch=st.floats(-0.05, 0.05),
    winding=st.booleans(),
)
def test_ground_rows_invert_the_projection(
    x: float, ahead: float, yaw: float, pitch: float, winding: bool
) -> None:
    line = WINDING if winding else STRAIGHT
    slope = float(np.arctan(line.slope(46.0)))
    camera = make(line, yaw + slope, pitch)
    pixels, depths = camera.project(np.array([[x, 40.0 + ahead, 0.0]]))
    (column, row) = pixels[0]
    x0, dx, y0, dy, depth = camera.ground_rows(np.array([row]))
    assert depth[0] == pytest.approx(depths[0], rel=1e-6)
    assert y0[0] + dy[0] * column == pytest.approx(40.0 + ahead, abs=1e-6)
    # Exact on a straight street; on a winding one the bend is linearised in the row.
    assert x0[0] + dx[0] * column == pytest.approx(x, abs=0.02 if winding else 1e-6)


@given(x=st.floats(-30, 30), y=st.floats(-60, 200), yaw=st.floats(-0.2, 0.2))
def test_what_is_not_seen_is_not_in_the_picture(x: float, y: float, yaw: float) -> None:
    camera = make(yaw=yaw)
    if not camera.sees(x, y, 1.0, 1000.0):
        pixels, depths = camera.project(np.array([[x, y, 1.4]]))
        assert depths[0] < NEAR or not 0 <= pixels[0, 0] < camera.width


def test_clip_near_keeps_what_is_in_front() -> None:
    square = np.array([[-1.0, 0.0, -2.0], [1.0, 0.0, -2.0], [1.0, 0.0, 6.0], [-1.0, 0.0, 6.0]])
    far = np.array([0.0, 0.0, 20.0])
    clipped = clip_near(square)
    assert len(clipped) == 4
    assert clipped[:, 2].min() == pytest.approx(NEAR)
    assert clipped[:, 2].max() == 6.0
    assert len(clip_near(square - far)) == 0
    np.testing.assert_array_equal(clip_near(square + far), square + far)


def test_slope_is_the_derivative_of_the_offset() -> None:
    y = np.linspace(0, 500, 40)
    difference = (WINDING.offset(y + 1e-4) - WINDING.offset(y - 1e-4)) / 2e-4
    np.testing.assert_allclose(WINDING.slope(y), difference, atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (333, 257), (1280, 720)])
def test_intrinsics_are_those_of_the_projection(width: int, height: int) -> None:
    street = StreetCamera(seed=6, width=width, height=height)
    k, camera = street.intrinsics, street.camera(9)
    assert (k.cx, k.cy) == ((width - 1) / 2, (height - 1) / 2)
    assert k.fx == k.fy
    assert 48 <= np.degrees(2 * np.arctan(width / 2 / k.fx)) <= 62
    point = np.array([[camera.x + 1.0, camera.y + 12.0, 0.5]])
    right, down, forward = camera.to_camera(point)[0]
    expected = (k.cx + k.fx * right / forward, k.cy + k.fy * down / forward)
    np.testing.assert_allclose(camera.project(point)[0][0], expected)


def test_field_of_view_does_not_depend_on_the_size() -> None:
    small, large = StreetCamera(8, 320, 240).intrinsics, StreetCamera(8, 640, 480).intrinsics
    assert large.fx == pytest.approx(2 * small.fx)
