"""Labelled points of frames, by a depth image."""

from __future__ import annotations

from types import SimpleNamespace

import calibrations
import numpy as np
import pytest
from segmented_frames import HEIGHT, WIDTH, frame_of

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.frames.fitted_camera import FittedCamera
from hyperseg_ros.frames.labelled_points import PointsMaker
from hyperseg_ros.frames.messages import point_cloud_fields
from hyperseg_ros.geometry import DepthError

INFO = calibrations.camera_info(width=WIDTH, height=HEIGHT, fx=250.0)
ROAD, CAR = CAMVID.index("road"), CAMVID.index("car")


def half_road() -> np.ndarray:
    labels = np.full((HEIGHT, WIDTH), CAR, np.uint8)
    labels[HEIGHT // 2 :] = ROAD
    return labels


def depth_image(depth: np.ndarray, encoding: str) -> SimpleNamespace:
    return SimpleNamespace(
        height=depth.shape[0],
        width=depth.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=depth.strides[0],
        data=depth.tobytes(),
    )


@pytest.mark.parametrize(("encoding", "unit"), [("16UC1", 1000), ("32FC1", 1)])
def test_points_are_where_depth_says_and_have_the_labels(encoding, unit):
    labels = half_road()
    kind = np.uint16 if unit == 1000 else np.float32
    depth = np.full((HEIGHT, WIDTH), 3 * unit, kind)
    depth[0, 0] = 0
    points = PointsMaker(FittedCamera(rectified=False)).of_depth(
        frame_of(labels), INFO, depth_image(depth, encoding)
    )
    fields = point_cloud_fields(points)
    assert (fields["height"], fields["width"]) == (HEIGHT, WIDTH)
    assert fields["row_step"] == fields["point_step"] * WIDTH == len(fields["data"]) // HEIGHT
    offsets = {field["name"]: field["offset"] for field in fields["fields"]}
    assert list(offsets) == ["x", "y", "z", "rgb", "label", "confidence"]
    row, column = 200, 300
    at = row * fields["row_step"] + column * fields["point_step"]
    point = fields["data"][at : at + fields["point_step"]].tobytes()
    x, y, z = np.frombuffer(point, np.float32, 3)
    assert z == pytest.approx(3.0, abs=1e-5)
    assert x == pytest.approx(3.0 * (column - INFO.k[2]) / INFO.k[0], abs=1e-4)
    assert y == pytest.approx(3.0 * (row - INFO.k[5]) / INFO.k[4], abs=1e-4)
    assert point[offsets["label"]] == labels[row, column] == ROAD
    assert point[offsets["confidence"]] == 250
    assert point[offsets["rgb"] : offsets["rgb"] + 3] == bytes((10, 20, 30))
    assert np.isnan(points["z"][0, 0])


def test_points_need_depth_of_the_cameras_size():
    labels = half_road()
    maker = PointsMaker(FittedCamera(rectified=False))
    with pytest.raises(DepthError, match="100 x 100"):
        maker.of_depth(frame_of(labels), INFO, depth_image(np.ones((100, 100), "f4"), "32FC1"))
    with pytest.raises(DepthError, match="rgb8"):
        maker.of_depth(frame_of(labels), INFO, depth_image(np.ones((240, 320), "f4"), "rgb8"))
    small = frame_of(labels[::2, ::2].copy(), at_input_size=True)
    with pytest.raises(DepthError, match="label_resolution"):
        maker.of_depth(small, INFO, depth_image(np.ones((240, 320), "f4"), "32FC1"))
