"""A camera's calibration, made to fit the labels.

A calibration is anything with the fields of sensor_msgs/CameraInfo.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from hyperseg_ros.geometry.camera import image_size

__all__ = ["fit_camera_info", "image_size"]

CameraInfo = TypeVar("CameraInfo")


def fit_camera_info(
    info: CameraInfo, rows: slice, columns: slice, size: tuple[int, int]
) -> CameraInfo:
    """The calibration of a part of a camera's images, resized.

    Pixel centres are integers, as in OpenCV. Distortion stays: it is of the lens.

    Args:
        info: of the whole images; left as it is.
        rows, columns: the part.
        size: height and width that the part is resized to, pixels.
    """
    fitted: Any = copy.deepcopy(info)
    roi = fitted.roi
    axes = (
        (fitted.binning_x or 1, roi.x_offset, columns, size[1]),
        (fitted.binning_y or 1, roi.y_offset, rows, size[0]),
    )
    for axis, (binning, offset, part, length) in enumerate(axes):
        scale = length / (part.stop - part.start) / binning
        origin = offset + part.start * binning
        for matrix, width in ((fitted.k, 3), (fitted.p, 4)):
            if matrix[0] == 0 and matrix[width + 1] == 0:
                continue  # not calibrated
            row = slice(axis * width, (axis + 1) * width)
            matrix[row] *= scale
            matrix[axis * width + 2] += (0.5 - origin) * scale - 0.5
    fitted.height, fitted.width = size
    fitted.binning_x = fitted.binning_y = 0
    roi.x_offset = roi.y_offset = roi.height = roi.width = 0
    roi.do_rectify = False
    result: CameraInfo = fitted
    return result
