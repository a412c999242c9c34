"""Free space of a recording's frames, as the node publishes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hyperseg_ros.frames.body_mask import BodyMask
from hyperseg_ros.frames.fitted_camera import FittedCamera
from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.frames.free_space import FreeSpaceMapper, GroundSettings
from hyperseg_ros.frames.messages import (
    LASER_SCAN,
    OCCUPANCY_GRID,
    Fields,
    laser_scan_fields,
    occupancy_grid_fields,
)
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.geometry import CalibrationError
from hyperseg_ros.recordings.camera_options import of_camera
from hyperseg_ros.recordings.poses import Poses


class FreeSpaceMaker:
    """Makes `free_space/scan` and `free_space/grid`.

    Args:
        settings: how.
        poses: of the cameras.
        ground_frame: of the messages.
        bodies: the robot in the cameras' images, by image topic or `topics.DEFAULT`.
    """

    def __init__(
        self,
        settings: GroundSettings,
        poses: Poses,
        ground_frame: str,
        bodies: Mapping[str, BodyMask],
    ) -> None:
        self._settings = settings
        self._poses = poses
        self._ground_frame = ground_frame
        self._bodies = bodies
        self._mappers: dict[CameraTopics, FreeSpaceMapper] = {}

    def messages(
        self, camera: CameraTopics, header: Any, frame: SegmentedFrame, info: Any
    ) -> Iterator[tuple[str, str, Fields]]:
        """Name, type and fields of the two messages of a frame: the grid, then the scan.

        Args:
            camera: whose frame it is.
            header: of its image, as of ROS 2.
            frame: its labels.
            info: sensor_msgs/CameraInfo's fields; None where there is none.

        Raises:
            GeometryError: calibration or pose is missing, or cannot be used; the text says why.
                Where it is the scan alone that cannot be, the grid has come before.
        """
        if info is None:
            raise CalibrationError(
                f"the recording has no {camera.camera_info} that can be read: metres need the "
                "camera's calibration"
            )
        if camera not in self._mappers:
            fitted = FittedCamera(rectified=camera.rectified)
            body = of_camera(self._bodies, camera, None)
            self._mappers[camera] = FreeSpaceMapper(self._settings, fitted, body)
        mapper = self._mappers[camera]
        found = mapper.find(frame, info, self._poses.pose(camera, header.frame_id))
        ground = {"header": {"stamp": header.stamp, "frame_id": self._ground_frame}}
        layout, cells = mapper.grid(found)
        grid = occupancy_grid_fields(layout, cells, header.stamp)
        yield "free_space/grid", OCCUPANCY_GRID, {**ground, **grid}
        yield "free_space/scan", LASER_SCAN, {**ground, **laser_scan_fields(mapper.scan(found))}
