"""A street that ends at a wall, as a camera of known calibration publishes it."""

from __future__ import annotations

from typing import Any

import calibrations
import numpy as np
from ros_graph import Graph
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.node.conversions import to_image

HEIGHT, WIDTH = 240, 320
FIELDS = calibrations.camera_info(width=WIDTH, height=HEIGHT, fx=250.0)
WALL = 7.0
"""Metres to the wall, for a camera that is mounted as `MOUNT` says."""
MOUNT = [0.0, 0.0, 1.5, 0.0, 0.0, 0.0]


def wall_row() -> int:
    """The first row of the image that shows the road."""
    return int(np.ceil(FIELDS.k[5] + FIELDS.k[4] * MOUNT[2] / WALL))


class Street:
    """A camera before a wall.

    Args:
        graph: of the test.
        info: whether it is calibrated.
        depth: the type of the depth that it publishes, on the topic `depth`.
    """

    def __init__(self, graph: Graph, info: bool = True, depth: type = Image) -> None:
        self.graph = graph
        self.images = graph.talk(graph.topic("image_raw"))
        self.infos = graph.node.create_publisher(CameraInfo, graph.topic("camera_info"), 10)
        self.depths = graph.node.create_publisher(depth, graph.topic("depth"), 10)
        self.info = CameraInfo(height=HEIGHT, width=WIDTH, k=FIELDS.k, p=FIELDS.p) if info else None

    def show(self, depth: Image | PointCloud2 | None = None, header: Header | None = None) -> Image:
        """Publishes one frame, its calibration and its depth.

        Args:
            depth: of the frame; it gets the frame's header.
            header: of the frame; by default one that no other has.
        """
        pixels = np.full((HEIGHT, WIDTH, 3), CAMVID.colors[CAMVID.index("car")], np.uint8)
        pixels[wall_row() :] = CAMVID.colors[CAMVID.index("road")]
        header = header or self.graph.header()
        header.frame_id = "front_optical"
        if self.info is not None:
            self.info.header = header
            self.infos.publish(self.info)
        if depth is not None:
            depth.header = header
            self.depths.publish(depth)
        message = to_image(header, pixels, "rgb8")
        self.images.publish(message)
        return message

    def until(self, received: list[Any], depth: Image | PointCloud2 | None = None) -> Any:
        """The first message of `received`, while the street is shown again and again."""

        def came() -> bool:
            self.show(depth)
            self.graph.settle(0.2)
            return bool(received)

        self.graph.wait(came, "the output")
        return received[0]
