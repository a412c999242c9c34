"""The messages in metres, of the fields that `frames` gives them: scan, grid and point cloud."""

from __future__ import annotations

import array
import math
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion
from nav_msgs.msg import MapMetaData, OccupancyGrid
from numpy.typing import NDArray
from sensor_msgs.msg import LaserScan, PointCloud2, PointField
from std_msgs.msg import Header

from hyperseg_ros.frames.messages import Fields
from hyperseg_ros.geometry.points import POINT


def laser_scan(header: Header, fields: Fields) -> LaserScan:
    """The scan of free space."""
    floats = {name: _floats(fields[name]) for name in ("ranges", "intensities")}
    return LaserScan(header=header, **{**fields, **floats})


def occupancy_grid(header: Header, fields: Fields) -> OccupancyGrid:
    """The grid of free space."""
    info = fields["info"]
    origin = Pose(
        position=Point(**info["origin"]["position"]),
        orientation=Quaternion(**info["origin"]["orientation"]),
    )
    data = array.array("b")
    data.frombytes(fields["data"].tobytes())
    metadata = MapMetaData(**{**info, "origin": origin})
    return OccupancyGrid(header=header, info=metadata, data=data)


class ReusedCloud:
    """A point cloud message whose memory serves one frame after the other; see `ReusedImage`."""

    def __init__(self) -> None:
        self._message = PointCloud2()
        self._points: NDArray[np.void] = np.empty((0, 0), POINT)
        """What the message holds: a view."""

    def canvas(self, shape: tuple[int, ...]) -> NDArray[np.void]:
        """The points of the message, `POINT` [H, W], to be written to."""
        if self._points.shape != shape:
            data = array.array("B", bytes(1)) * (POINT.itemsize * math.prod(shape))
            self._message.data = data
            self._points = np.frombuffer(self._message.data, POINT).reshape(shape)
        return self._points

    def message(self, header: Header, fields: Fields) -> PointCloud2:
        """The message with what its canvas shows.

        Args:
            header: of the message.
            fields: of the message; `data` is the canvas.
        """
        message = self._message
        message.header = header
        message.fields = [PointField(**field) for field in fields["fields"]]
        for name, value in fields.items():
            if name not in ("fields", "data"):
                setattr(message, name, value)
        return message


def _floats(values: NDArray[np.float32]) -> array.array[Any]:
    filled = array.array("f")
    filled.frombytes(values.astype(np.float32).tobytes())
    return filled
