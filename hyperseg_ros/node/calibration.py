"""A camera's calibration, as its driver publishes it beside the images."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from hyperseg_ros.frames.camera_info import image_size
from hyperseg_ros.frames.messages import CAMERA_INFO
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.subscription import AUTO, FollowingSubscription

PATIENCE = 0.5
"""Seconds for which the first image waits for the calibration that is published beside it."""


class Calibration:
    """The latest CameraInfo of one camera.

    Args:
        node: the node that subscribes.
        endpoints: creates subscriptions.
        topic: of the camera's calibration.
        arrived: is called when the first one has come.
    """

    def __init__(
        self, node: Node, endpoints: Endpoints, topic: str, arrived: Callable[[], None]
    ) -> None:
        self.topic = topic
        self._arrived = arrived
        self.latest: CameraInfo | None = None
        """What came last; None before the first."""
        self._waiting_since: float | None = None
        self._subscription = FollowingSubscription(
            node,
            endpoints,
            topic,
            {CAMERA_INFO: CameraInfo},
            self._on_info,
            AUTO,
            1,
            lambda _: None,
        )

    def open(self) -> None:
        """Subscribes."""
        self._waiting_since = None
        self._subscription.open()

    def close(self) -> None:
        """Unsubscribes, and forgets the calibration."""
        self._subscription.close()
        self.latest = None

    def follow(self) -> None:
        """Resubscribes if the publishers need another reliability."""
        self._subscription.follow()

    def is_due(self) -> bool:
        """Whether an image should wait, since the first calibration is about to arrive."""
        if self.latest is not None:
            return False
        now = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        return now - self._waiting_since < PATIENCE and self._subscription.publishers() > 0

    def of(self, height: int, width: int) -> CameraInfo | None:
        """The calibration of images of this size; None where nobody publishes one.

        Raises:
            ValueError: it is for another size.
        """
        if self.latest is None:
            return None
        size = image_size(self.latest)
        if size != (height, width):
            raise ValueError(
                f"{self.topic} is for {size[1]} x {size[0]} pixels, the images have "
                f"{width} x {height}: no camera_info is published"
            )
        return self.latest

    def _on_info(self, message: CameraInfo) -> None:
        first, self.latest = self.latest is None, message
        if first:
            self._arrived()
