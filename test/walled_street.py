"""A street that ends at a wall, as a camera of known calibration publishes it."""

from __future__ import annotations

import math
import time
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
SHOWN_AGAIN = 5.0
"""Seconds until a frame without an answer is followed by another one. On a busy machine parts of a
large message are lost; Fast DDS sends them again within 3 s, unless newer ones take its place."""


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
        """The first message of `received`; frames are shown, each after the last had no answer.

        The node must subscribe to what is published: a frame of which a part is lost is not joined.
        """
        for publisher in (self.infos, *([self.depths] if depth is not None else [])):
            self.graph.wait(publisher.get_subscription_count, f"who reads {publisher.topic_name}")
        self.graph.meet()
        shown = -math.inf

        def came() -> bool:
            nonlocal shown
            if time.monotonic() - shown > SHOWN_AGAIN:
                self.show(depth)
                shown = time.monotonic()
            return bool(received)

        self.graph.wait(came, "the output")
        return received[0]
