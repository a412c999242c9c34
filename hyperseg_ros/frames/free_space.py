"""Free space of a camera's frames: what is kept from frame to frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.frames.body_mask import BodyMask
from hyperseg_ros.frames.fitted_camera import FittedCamera
from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.geometry import FreeSpace, FreeSpaceFinder, FreeSpaceOptions, Pose, PoseError
from hyperseg_ros.geometry.grid import GridLayout


@dataclass(frozen=True)
class GroundSettings:
    """How free space is looked for."""

    ground: tuple[int, ...]
    """Ids of the classes that are ground."""
    options: FreeSpaceOptions
    grid: GridLayout
    seen_from: float = math.inf
    """Metres; the scan says nothing on bearings where ground is in view only from farther away."""


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
        self._made_for: tuple[int | None, ...] = ()
        """The region of interest, and the size of its labels as the network gave them."""

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
        size = frame.result.labels.shape
        made_for = (rows.start, rows.stop, columns.start, columns.stop, *size)
        if self._finder is None or self._finder.camera is not camera or self._made_for != made_for:
            self._finder = FreeSpaceFinder(
                camera,
                self._settings.ground,
                self._settings.options,
                self._hidden(frame),
                _enlarged(frame),
            )
            self._made_for = made_for
        return self._finder.find(frame.labels, frame.confidence, pose)

    def _hidden(self, frame: SegmentedFrame) -> NDArray[np.bool_] | None:
        """The pixels that say nothing of the ground, of the labels' size; None where all do."""
        outside = _outside(frame)
        if self._body is None:
            return outside
        body = self._body.of(frame)
        return body if outside is None else body | outside

    def scan(self, free_space: FreeSpace) -> FreeSpace:
        """What of free space a scan may say, which has no place for where the view begins.

        Raises:
            PoseError: nothing.
        """
        try:
            return free_space.seen_within(self._settings.seen_from)
        except PoseError as error:
            raise PoseError(f"free_space_seen_from: {error}") from None

    def grid(self, free_space: FreeSpace) -> tuple[GridLayout, NDArray[np.int8]]:
        """The occupancy grid of free space: its layout and cells, int8 [height, width]."""
        return self._settings.grid, self._settings.grid.draw(free_space)


def _enlarged(frame: SegmentedFrame) -> float:
    """By how much the network's labels were enlarged, the lesser of both ways; 1 or more."""
    if frame.settings.at_input_size:
        return 1.0
    own, fitted = frame.result.labels.shape, frame.frame.region.shape
    return max(1.0, min(fitted[0] / own[0], fitted[1] / own[1]))


def _outside(frame: SegmentedFrame) -> NDArray[np.bool_] | None:
    """The pixels around the region of interest, bool [H, W]; None where there are none."""
    whole = frame.frame
    height, width = whole.image.shape[:2]
    if frame.settings.at_input_size or whole.region.shape[:2] == (height, width):
        return None
    outside = np.ones((height, width), np.bool_)
    outside[whole.rows, whole.columns] = False
    return outside
