"""Free space and labelled points of a camera's frames: what is kept from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.frames.body_mask import BodyMask
from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.geometry import (
    CameraModel,
    DepthError,
    FreeSpace,
    FreeSpaceFinder,
    FreeSpaceOptions,
    Pose,
)
from hyperseg_ros.geometry.grid import GridLayout
from hyperseg_ros.geometry.points import POINT, LabelledPoints, of_cloud, read_cloud, read_depth

_FLOAT32 = 7
"""sensor_msgs/PointField.FLOAT32"""


@dataclass(frozen=True)
class GroundSettings:
    """How free space is looked for."""

    ground: tuple[int, ...]
    """Ids of the classes that are ground."""
    options: FreeSpaceOptions
    grid: GridLayout


class FittedCamera:
    """The camera model of a camera's labels, recomputed if calibration or label size changes.

    Args:
        rectified: whether the images are rectified.
    """

    def __init__(self, rectified: bool) -> None:
        self._rectified = rectified
        self._key: tuple[Any, ...] = ()
        self._model: CameraModel | None = None

    def model(self, info: Any, frame: SegmentedFrame) -> CameraModel:
        """The model of the pixels of `frame.labels`.

        Args:
            info: sensor_msgs/CameraInfo's fields, of the camera's images.
            frame: of that camera.

        Raises:
            CalibrationError: the calibration cannot be used, or is for another image size.
        """
        whole, size = frame.frame, frame.labels.shape
        key = (*_values(info), whole.image.shape, whole.rows, whole.columns, size)
        key = tuple((k.start, k.stop) if isinstance(k, slice) else k for k in key)
        if self._model is None or key != self._key:
            camera = CameraModel.of(info, self._rectified)
            camera.check_size(whole.image.shape[:2])
            if whole.settings.at_input_size:
                camera = camera.fitted((size[0], size[1]), whole.rows, whole.columns)
            self._key, self._model = key, camera
        return self._model


class FreeSpaceMapper:
    """Finds the free space in a camera's frames.

    Args:
        settings: how.
        camera: of the same camera.
        body: the robot in its images; None where it is not seen.
    """

    def __init__(
        self, settings: GroundSettings, camera: FittedCamera, body: BodyMask | None = None
    ) -> None:
        self._settings = settings
        self._camera = camera
        self._body = body
        self._finder: FreeSpaceFinder | None = None
        self._region: tuple[int | None, ...] = ()

    def find(self, frame: SegmentedFrame, info: Any, pose: Pose) -> FreeSpace:
        """The free space of a frame.

        Args:
            frame: of the camera; what is outside its region of interest counts as not seen.
            info: sensor_msgs/CameraInfo's fields.
            pose: of the camera when the frame was taken.

        Raises:
            GeometryError: calibration, pose or body mask cannot be used; the text says why.
        """
        camera = self._camera.model(info, frame)
        rows, columns = frame.frame.rows, frame.frame.columns
        region = (rows.start, rows.stop, columns.start, columns.stop)
        if self._finder is None or self._finder.camera is not camera or self._region != region:
            self._finder = FreeSpaceFinder(
                camera, self._settings.ground, self._settings.options, self._hidden(frame)
            )
            self._region = region
        return self._finder.find(frame.labels, frame.confidence, pose)

    def _hidden(self, frame: SegmentedFrame) -> NDArray[np.bool_] | None:
        """The pixels that say nothing of the ground, of the labels' size; None where all do."""
        outside = _outside(frame)
        if self._body is None:
            return outside
        body = self._body.of(frame)
        return body if outside is None else body | outside

    def grid(self, free_space: FreeSpace) -> tuple[GridLayout, NDArray[np.int8]]:
        """The occupancy grid of free space: its layout and cells, int8 [height, width]."""
        return self._settings.grid, self._settings.grid.draw(free_space)


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


def _outside(frame: SegmentedFrame) -> NDArray[np.bool_] | None:
    """The pixels around the region of interest, bool [H, W]; None where there are none."""
    whole = frame.frame
    height, width = whole.image.shape[:2]
    if frame.settings.at_input_size or whole.region.shape[:2] == (height, width):
        return None
    outside = np.ones((height, width), np.bool_)
    outside[whole.rows, whole.columns] = False
    return outside


def _values(info: Any) -> tuple[Any, ...]:
    """All that a camera model depends on, to be compared."""
    roi = info.roi
    numbers = (tuple(float(value) for value in part) for part in (info.k, info.d, info.p))
    return (
        info.width,
        info.height,
        info.distortion_model,
        *numbers,
        info.binning_x,
        info.binning_y,
        roi.x_offset,
        roi.y_offset,
        roi.width,
        roi.height,
    )
