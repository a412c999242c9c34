"""A calibrated camera: from directions to pixels and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.geometry.errors import CalibrationError
from hyperseg_ros.geometry.lens import Array, Lens, PinholeLens, make_lens

_SHORTEST, _LONGEST = 0.1, 1e7
"""Focal lengths that a camera may have, pixels."""


class RegionFields(Protocol):
    """The fields of a sensor_msgs/RegionOfInterest that count."""

    x_offset: int
    y_offset: int
    width: int
    height: int


class CalibrationFields(Protocol):
    """The fields of a sensor_msgs/CameraInfo, whichever library made the message."""

    width: int
    height: int
    distortion_model: str
    d: Sequence[float]
    k: Sequence[float]
    p: Sequence[float]
    binning_x: int
    binning_y: int
    roi: RegionFields


def image_size(info: CalibrationFields) -> tuple[int, int]:
    """Height and width of the images a calibration is for, as the driver bins and crops them."""
    return (
        int(info.roi.height or info.height) // int(info.binning_y or 1),
        int(info.roi.width or info.width) // int(info.binning_x or 1),
    )


@dataclass(frozen=True)
class CameraModel:
    """A lens in front of an image of width x height pixels; pixel centres are integers.

    Directions are in the optical frame of REP 103: x right, y down, z forward.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    lens: Lens = field(default_factory=PinholeLens)

    @classmethod
    def of(cls, info: CalibrationFields, rectified: bool = False) -> CameraModel:
        """The camera of a CameraInfo, for the images that the driver sends: binned and cropped.

        Args:
            info: of the camera.
            rectified: whether the images are rectified already: then `p` holds, not `k` and `d`.

        Raises:
            CalibrationError: the calibration is missing (zeros), not finite, or of an unknown lens.
        """
        height, width = image_size(info)
        if min(height, width) < 1:
            raise CalibrationError("camera_info has no image size: width or height is 0")
        matrix, row = (info.p, 4) if rectified else (info.k, 3)
        fx, cx, fy, cy = (float(matrix[i]) for i in (0, 2, row + 1, row + 2))
        if not np.isfinite([fx, cx, fy, cy]).all():
            raise CalibrationError("camera_info has a camera matrix that is not finite")
        if not (_SHORTEST <= fx <= _LONGEST and _SHORTEST <= fy <= _LONGEST):
            raise CalibrationError(
                f"camera_info is not calibrated: the focal lengths are {fx:g} and {fy:g} pixels"
            )
        lens = PinholeLens() if rectified else make_lens(info.distortion_model, info.d)
        camera = cls(int(info.width), int(info.height), fx, fy, cx, cy, lens)
        region, bin_x, bin_y = info.roi, int(info.binning_x or 1), int(info.binning_y or 1)
        left, top = int(region.x_offset), int(region.y_offset)
        rows, columns = slice(top, top + height * bin_y), slice(left, left + width * bin_x)
        return camera.fitted((height, width), rows, columns)

    def fitted(
        self,
        size: tuple[int, int],
        rows: slice = slice(None),
        columns: slice = slice(None),
    ) -> CameraModel:
        """The camera of a part of its images, resized.

        Args:
            size: height and width that the part is resized to, pixels.
            rows, columns: the part; the whole by default.
        """
        top, bottom = rows.start or 0, rows.stop or self.height
        left, right = columns.start or 0, columns.stop or self.width
        height, width = size
        scale_x, scale_y = width / (right - left), height / (bottom - top)
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * scale_x,
            fy=self.fy * scale_y,
            cx=(self.cx - left + 0.5) * scale_x - 0.5,
            cy=(self.cy - top + 0.5) * scale_y - 0.5,
        )

    def check_size(self, size: Sequence[int]) -> None:
        """Check that images of a height and width are this camera's.

        Raises:
            CalibrationError: they are not.
        """
        height, width = size
        if (self.height, self.width) != (height, width):
            raise CalibrationError(
                f"camera_info is for {self.width} x {self.height} pixels, the images have "
                f"{width} x {height}"
            )

    def project(self, directions: Array) -> tuple[Array, Array]:
        """Columns and rows of directions [..., 3]; nan where the lens does not see.

        The pixels may lie outside the image.
        """
        u, v = self.lens.distort(directions[..., 0], directions[..., 1], directions[..., 2])
        return u * self.fx + self.cx, v * self.fy + self.cy

    def directions(self, columns: Array, rows: Array) -> Array:
        """Directions [..., 3], of any length, of pixels; nan beyond what the lens sees."""
        return self.lens.undistort((columns - self.cx) / self.fx, (rows - self.cy) / self.fy)

    def rays(self) -> NDArray[np.float32]:
        """x and y of each pixel at z = 1, float32 [height, width, 2]; nan beyond 89 degrees."""
        rows, columns = np.mgrid[: self.height, : self.width].astype(np.float64)
        directions = self.directions(columns, rows)
        depth = directions[..., 2:]
        ahead = depth > 0.017 * np.linalg.norm(directions, axis=-1, keepdims=True)
        return np.where(ahead, directions[..., :2] / np.where(ahead, depth, 1), np.nan).astype(
            np.float32
        )
