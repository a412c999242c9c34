"""The depth that belongs to a camera's images, joined by stamp."""

from __future__ import annotations

import threading
from collections import deque

from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

from hyperseg_ros.frames.messages import IMAGE, POINT_CLOUD
from hyperseg_ros.geometry import DepthError
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.stamps import nanoseconds
from hyperseg_ros.node.subscription import AUTO, FollowingSubscription

_KEPT = 16
"""Messages that are kept for the images still to come."""


class Depth:
    """A depth image or organized cloud topic; subscribed to only while points are wanted.

    Args:
        node: the node that subscribes.
        endpoints: creates subscriptions.
        topic: fully qualified.
        tolerance: seconds that the stamps of image and depth may differ.
    """

    def __init__(self, node: Node, endpoints: Endpoints, topic: str, tolerance: float) -> None:
        self.topic = topic
        self._tolerance = tolerance
        self._lock = threading.Lock()
        self._messages: deque[Image | PointCloud2] = deque(maxlen=_KEPT)
        self._subscription = FollowingSubscription(
            node,
            endpoints,
            topic,
            {IMAGE: Image, POINT_CLOUD: PointCloud2},
            self._on_message,
            AUTO,
            depth=5,
            on_lost=lambda _: None,
        )

    def follow(self, wanted: bool) -> None:
        """Subscribes, unsubscribes or resubscribes, as the publishers need."""
        if not wanted:
            self.close()
        elif self._subscription.is_open:
            self._subscription.follow()
        else:
            self._subscription.open()

    def close(self) -> None:
        """Unsubscribes, and forgets what came."""
        self._subscription.close()
        with self._lock:
            self._messages.clear()

    def at(self, header: Header) -> Image | PointCloud2:
        """The depth that was taken with an image.

        Raises:
            DepthError: there is none.
        """
        stamp = nanoseconds(header)
        with self._lock:
            messages = list(self._messages)
        if not messages:
            raise DepthError(f"nothing has come on {self.topic} yet")
        distance, nearest = min(
            ((abs(nanoseconds(message.header) - stamp), message) for message in messages),
            key=lambda pair: pair[0],
        )
        if distance > self._tolerance * 1e9:
            raise DepthError(
                f"the nearest depth on {self.topic} is {distance / 1e9:.3f} s from the image, more "
                f"than depth_tolerance {self._tolerance:g}: use a depth camera that is synchronized"
            )
        return nearest

    def _on_message(self, message: Image | PointCloud2) -> None:
        with self._lock:
            self._messages.append(message)
