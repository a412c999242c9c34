"""One camera: its subscriptions, its mailbox, its outputs and its statistics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rclpy.clock import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.subscription import Subscription
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.node.conversions import ImageError, to_bgr
from hyperseg_ros.node.diagnostics import OK, WARN, Health
from hyperseg_ros.node.mailbox import Mailbox
from hyperseg_ros.node.outputs import Outputs
from hyperseg_ros.node.statistics import Statistics
from hyperseg_ros.node.topics import CameraTopics
from hyperseg_ros.runtime import Segmenter

LOG_PERIOD = 5.0
"""Seconds between two log lines about the same trouble of the same camera."""


class Camera:
    """The way of a camera's frames through the node.

    The executor's thread leaves each frame in the mailbox; the inference thread takes the newest
    one out in `segment_next`.

    Args:
        node: the node that subscribes.
        topics: the names of the camera's topics.
        outputs: where results go; destroyed with the camera.
        qos: of the image subscription.
    """

    def __init__(
        self,
        node: Node,
        topics: CameraTopics,
        outputs: Outputs,
        qos: QoSProfile,
    ) -> None:
        self.topics = topics
        self.statistics = Statistics()
        self._node = node
        self._logger = node.get_logger().get_child(topics.image.strip("/").replace("/", "."))
        self._outputs = outputs
        self._qos = qos
        self._mailbox: Mailbox[Image | CompressedImage] = Mailbox()
        self._camera_info: CameraInfo | None = None
        self._subscriptions: list[Subscription] = []
        self._bad_before = 0

    def start(self, notify: Callable[[], None]) -> None:
        """Announces the classes, then subscribes; `notify` is called for each frame that waits."""
        self._notify = notify
        self._outputs.announce()
        message_type = CompressedImage if self.topics.compressed else Image
        self._subscriptions = [
            self._node.create_subscription(
                CameraInfo, self.topics.camera_info, self._on_camera_info, qos_profile_sensor_data
            ),
            self._node.create_subscription(
                message_type, self.topics.image, self._on_image, self._qos
            ),
        ]

    def stop(self) -> None:
        """Unsubscribes and forgets the waiting frame."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self._mailbox.take()
        self._camera_info = None

    def destroy(self) -> None:
        """Takes the camera's topics back."""
        self.stop()
        self._outputs.destroy()

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.statistics.received(dropped=self._mailbox.put(message))
        self._notify()

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def segment_next(self, segmenter: Segmenter) -> bool:
        """Takes the waiting frame through the network; False if there was none."""
        message = self._mailbox.take()
        if message is None:
            return False
        try:
            if not self._outputs.wanted:
                self.statistics.unwatched()
                return True
            image = to_bgr(message)
            result = segmenter(image)
            self._outputs.publish(message.header, image, result, self._camera_info_of(image))
            self.statistics.segmented(self._age_ms(message.header), result.inference_ms)
        except Exception as error:  # whatever is wrong with this frame, the next one may be good
            if self._node.context.ok():  # else the process is on its way out
                self._report(error)
        return True

    def _camera_info_of(self, image: NDArray[np.uint8]) -> CameraInfo | None:
        """The camera's latest calibration, if it is for images of this size."""
        info = self._camera_info
        if info is None or (info.height, info.width) == image.shape[:2]:
            return info
        self._logger.warning(
            f"{self.topics.camera_info} is for {info.width} x {info.height} pixels, the images "
            f"have {image.shape[1]} x {image.shape[0]}: no camera_info is published",
            throttle_duration_sec=LOG_PERIOD,
        )
        return None

    def _age_ms(self, header: Header) -> float:
        age = self._node.get_clock().now() - Time.from_msg(header.stamp, ClockType.ROS_TIME)
        return age.nanoseconds / 1e6

    def _report(self, error: Exception) -> None:
        kind = "bad image" if isinstance(error, ImageError) else "frame failed"
        self.statistics.bad(f"{kind}: {error}")
        self._logger.error(
            f"{kind} on {self.topics.image}: {error}", throttle_duration_sec=LOG_PERIOD
        )

    def health(self) -> Health:
        """How the camera has fared since the last time this was asked."""
        counts, values = self.statistics.summary()
        bad, self._bad_before = counts.bad - self._bad_before, counts.bad
        level = WARN if bad else OK
        return Health(self.topics.image, level, f"{bad} bad frames" if bad else "OK", values)
