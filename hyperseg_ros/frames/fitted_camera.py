"""The camera model that fits a camera's labels, kept from frame to frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.geometry import CameraModel


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


def _values(info: Any) -> tuple[Any, ...]:
    """All that a camera model depends on, to be compared; nan is as nan."""
    roi = info.roi
    numbers = (np.array(part, np.float64).tobytes() for part in (info.k, info.d, info.p))
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
