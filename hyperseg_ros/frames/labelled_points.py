"""Labelled points of a camera's frames, by a depth image or a cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.frames.fitted_camera import FittedCamera
from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.geometry import CameraModel, DepthError
from hyperseg_ros.geometry.points import POINT, LabelledPoints, of_cloud, read_cloud, read_depth

_FLOAT32 = 7
"""sensor_msgs/PointField.FLOAT32"""

PointCanvas = Callable[[tuple[int, ...]], NDArray[np.void]]
"""Gives the memory for points of a shape, `geometry.points.POINT` [H, W]."""


def new_points(shape: tuple[int, ...]) -> NDArray[np.void]:
    """New memory for the points of each message."""
    return np.empty(shape, POINT)


class PointsMaker:
    """Joins a camera's labels with depth.

    Args:
        camera: of the same camera.
    """

    def __init__(self, camera: FittedCamera) -> None:
        self._camera = camera
        self._model: CameraModel | None = None
        self._points: LabelledPoints | None = None

    def of_depth(
        self,
        frame: SegmentedFrame,
        info: Any,
        depth: Any,
        canvas: PointCanvas = new_points,
    ) -> NDArray[np.void]:
        """The points of a registered depth image, `geometry.points.POINT` [H, W].

        Args:
            frame: of the camera.
            info: sensor_msgs/CameraInfo's fields.
            depth: sensor_msgs/Image's fields.
            canvas: gives the memory.

        Raises:
            GeometryError: the depth, or the calibration, is not one for this frame.
        """
        _whole(frame)
        metres = read_depth(
            depth.data,
            depth.height,
            depth.width,
            depth.encoding,
            depth.step,
            bool(depth.is_bigendian),
        )
        model = self._camera.model(info, frame)
        if self._points is None or self._model is not model:
            self._points, self._model = LabelledPoints(model), model
        out = canvas(frame.labels.shape)
        return self._points.of_depth(metres, frame.labels, frame.confidence, frame.image, out)

    def of_cloud(
        self, frame: SegmentedFrame, cloud: Any, canvas: PointCanvas = new_points
    ) -> NDArray[np.void]:
        """The points of an organized cloud, `geometry.points.POINT` [H, W].

        Args:
            frame: of the camera.
            cloud: sensor_msgs/PointCloud2's fields.
            canvas: gives the memory.

        Raises:
            DepthError: the cloud is not one for this frame.
        """
        _whole(frame)
        offsets: Mapping[str, int] = {
            field.name: field.offset for field in cloud.fields if field.datatype == _FLOAT32
        }
        points = read_cloud(
            memoryview(cloud.data),
            cloud.height,
            cloud.width,
            cloud.point_step,
            cloud.row_step,
            offsets,
            bool(cloud.is_bigendian),
        )
        out = canvas(frame.labels.shape)
        return of_cloud(points, frame.labels, frame.confidence, frame.image, out)


def _whole(frame: SegmentedFrame) -> None:
    if frame.settings.at_input_size:
        raise DepthError("points need labels of the camera's size: set label_resolution to camera")
