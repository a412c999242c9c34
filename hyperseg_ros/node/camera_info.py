"""A camera's calibration, made to fit the labels."""

from __future__ import annotations

import copy

from sensor_msgs.msg import CameraInfo, RegionOfInterest


def image_size(info: CameraInfo) -> tuple[int, int]:
    """Height and width of the images a calibration is for, as the driver bins and crops them."""
    return (
        (info.roi.height or info.height) // (info.binning_y or 1),
        (info.roi.width or info.width) // (info.binning_x or 1),
    )


def fit_camera_info(
    info: CameraInfo, rows: slice, columns: slice, size: tuple[int, int]
) -> CameraInfo:
    """The calibration of a part of a camera's images, resized.

    Pixel centres have whole coordinates, as in OpenCV. Distortion stays: it is of the lens.

    Args:
        info: of the whole images; left as it is.
        rows, columns: the part.
        size: height and width that the part is resized to, pixels.
    """
    fitted = copy.deepcopy(info)
    axes = (
        (info.binning_x or 1, info.roi.x_offset, columns, size[1]),
        (info.binning_y or 1, info.roi.y_offset, rows, size[0]),
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
    fitted.roi = RegionOfInterest()
    return fitted
