"""One camera: its subscriptions, its mailbox, its outputs and its statistics."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.frames.camera_info import fit_camera_info, image_size
from hyperseg_ros.frames.frame import Frame, SegmentedFrame
from hyperseg_ros.frames.pixels import ImageError
from hyperseg_ros.frames.region import Region
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.node.conversions import to_bgr
from hyperseg_ros.node.diagnostics import OK, WARN, Health, judge
from hyperseg_ros.node.mailbox import Mailbox
from hyperseg_ros.node.outputs import Outputs
from hyperseg_ros.node.quality_of_service import Endpoints, misfits
from hyperseg_ros.node.scheduling import RateLimiter
from hyperseg_ros.node.settings import Settings
from hyperseg_ros.node.statistics import Statistics, Summary
from hyperseg_ros.runtime import Segmentation, Segmenter

LOG_PERIOD = 5.0
"""Seconds between two log lines about the same trouble of the same camera."""

_RAW, _COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_MESSAGES = {_RAW: Image, _COMPRESSED: CompressedImage}


@dataclass(frozen=True)
class PendingFrame:
    """A frame that the network is to segment, and the camera it is from."""

    camera: Camera
    header: Header
    frame: Frame


class Camera:
    """The way of a camera's frames through the node.

    The executor's thread leaves each frame in the mailbox; the inference thread takes the newest
    one out with `take` and brings the network's result back with `publish` or `fail`.

    Args:
        node: the node that subscribes.
        endpoints: creates subscriptions.
        topics: the names of the camera's topics.
        outputs: where results go; destroyed with the camera.
        input_type: one of `parameters.INPUT_TYPES`.
        qos: of the image subscription.
        settings: gives the present settings.
    """

    def __init__(
        self,
        node: Node,
        endpoints: Endpoints,
        topics: CameraTopics,
        outputs: Outputs,
        input_type: str,
        qos: QoSProfile,
        settings: Callable[[], Settings],
    ) -> None:
        self.topics = topics
        self.statistics = Statistics()
        self._node = node
        self._endpoints = endpoints
        self._logger = node.get_logger().get_child(topics.image.strip("/").replace("/", "."))
        self._outputs = outputs
        self._qos = qos
        self._settings = settings
        self._follows_publishers = input_type == "auto"
        compressed = topics.compressed if self._follows_publishers else input_type == "compressed"
        self._input_type = _COMPRESSED if compressed else _RAW
        self._mailbox: Mailbox[Image | CompressedImage] = Mailbox()
        self._limiter = RateLimiter()
        self._camera_info: CameraInfo | None = None
        self._image_size: tuple[int, int] | None = None
        self._last_stamp: int | None = None
        self._images: Subscription | None = None
        self._infos: Subscription | None = None
        self._last_look: Summary | None = None

    def start(self, notify: Callable[[], None]) -> None:
        """Announces the classes, then subscribes; `notify` is called for each frame that waits."""
        self._notify = notify
        self.announce()
        self._last_stamp = None
        self.statistics.subscribed()
        self._infos = self._endpoints.subscription(
            CameraInfo, self.topics.camera_info, self._on_camera_info, qos_profile_sensor_data
        )
        self._subscribe()
        self.follow_publishers()

    def stop(self) -> None:
        """Unsubscribes and forgets the waiting frame."""
        for subscription in (self._images, self._infos):
            if subscription is not None:
                self._node.destroy_subscription(subscription)
        self._images = self._infos = None
        self._mailbox.take()
        self._camera_info = None

    def destroy(self) -> None:
        """Takes the camera's topics back."""
        self.stop()
        self._outputs.destroy()

    def announce(self) -> None:
        """Publishes `label_info`."""
        self._outputs.announce(self._settings().frame.min_confidence)

    def check(self, region: Region) -> None:
        """Whether a region is within the camera's images, as far as one was seen.

        Raises:
            ValueError: it is not.
        """
        if self._image_size is not None:
            region.within(*self._image_size)

    # From the topic to the mailbox, in the executor's thread

    def _subscribe(self) -> None:
        self._images = self._endpoints.subscription(
            _MESSAGES[self._input_type], self.topics.image, self._on_image, self._qos
        )

    def follow_publishers(self) -> None:
        """Subscribes anew if the topic's publishers all send the other type of image."""
        if self._images is None or not self._follows_publishers:
            return
        offered = self._offered_types()
        (other,) = set(_MESSAGES) - {self._input_type}
        if self._input_type not in offered and other in offered:
            self._logger.info(f"{self.topics.image} carries {other}")
            self._node.destroy_subscription(self._images)
            self._input_type = other
            self._subscribe()

    def _offered_types(self) -> set[str]:
        publishers = self._node.get_publishers_info_by_topic(self.topics.image)
        return {publisher.topic_type for publisher in publishers}

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.statistics.received()
        rate = self._settings().max_rate
        if rate and not self._limiter.admits(time.monotonic(), rate):
            self.statistics.skipped()
            return
        if self._mailbox.put(message):
            self.statistics.dropped()
        self._notify()

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    # From the mailbox to the outputs, in the inference thread

    def take(self) -> PendingFrame | None:
        """The waiting frame, if there is one that is wanted and good."""
        message = self._mailbox.take()
        if message is None:
            return None
        try:
            if not self._outputs.wanted:
                self.statistics.unwatched()
                return None
            return PendingFrame(self, message.header, self._read(message))
        except Exception as error:  # whatever is wrong with this frame, the next one may be good
            self.fail(error)
            return None

    def _read(self, message: Image | CompressedImage) -> Frame:
        self._check_stamp(message.header)
        image = to_bgr(message)
        height, width = image.shape[:2]
        if self._image_size not in (None, (height, width)):
            was_height, was_width = self._image_size or (0, 0)
            self._logger.info(
                f"images of {self.topics.image} are {width} x {height} now, no longer "
                f"{was_width} x {was_height}",
                throttle_duration_sec=LOG_PERIOD,
            )
        self._image_size = height, width
        settings = self._settings()
        try:
            rows, columns = settings.regions[self.topics.image].within(height, width)
        except ValueError as error:
            raise ImageError(str(error)) from None
        return Frame(image, rows, columns, settings.frame)

    def publish(self, header: Header, frame: Frame, result: Segmentation) -> None:
        """Publishes what the network made of a frame."""
        try:
            segmented = SegmentedFrame(frame, result)
            self._outputs.publish(header, segmented, self._camera_info_for(frame, segmented))
            self.statistics.segmented(self._age_ms(header), result.inference_ms)
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Counts and tells what befell a frame."""
        if self._images is None or not self._node.context.ok():
            return  # the camera is stopped, or the process on its way out
        kind = "bad image" if isinstance(error, ImageError) else "frame failed"
        self.statistics.bad(f"{kind}: {error}")
        self._logger.error(
            f"{kind} on {self.topics.image}: {error}", throttle_duration_sec=LOG_PERIOD
        )

    def _camera_info_for(self, frame: Frame, segmented: SegmentedFrame) -> CameraInfo | None:
        """The camera's latest calibration, if it is for images of this size, for the labels'."""
        info = self._camera_info
        if info is None or not self._outputs.wants_camera_info:
            return None
        height, width = frame.image.shape[:2]
        if image_size(info) != (height, width):
            for_height, for_width = image_size(info)
            self._logger.warning(
                f"{self.topics.camera_info} is for {for_width} x {for_height} pixels, the images "
                f"have {width} x {height}: no camera_info is published",
                throttle_duration_sec=LOG_PERIOD,
            )
            return None
        if not frame.settings.at_input_size:
            return info
        height, width = segmented.labels.shape
        return fit_camera_info(info, frame.rows, frame.columns, (height, width))

    # Time

    def _check_stamp(self, header: Header) -> None:
        stamp = _nanoseconds(header)
        if stamp <= 0:
            self._logger.warning(
                f"images of {self.topics.image} have "
                + (f"a stamp below zero, {stamp / 1e9:.3f} s" if stamp else "no stamp")
                + ": planners cannot join their labels with other data; let the camera's driver "
                "stamp them",
                throttle_duration_sec=10 * LOG_PERIOD,
            )
        elif self._last_stamp is not None and stamp < self._last_stamp:
            self._logger.warning(
                f"stamps of {self.topics.image} run backwards, by "
                f"{(self._last_stamp - stamp) / 1e9:.3f} s: a recording that starts again, or two "
                "publishers",
                throttle_duration_sec=LOG_PERIOD,
            )
        self._last_stamp = stamp if stamp > 0 else self._last_stamp

    def clock_jumped(self) -> None:
        """Forgets what was measured with the clock as it was."""
        self._last_stamp = None
        self.statistics.forget_ages()

    def _age_ms(self, header: Header) -> float | None:
        """From the stamp until now; None without a stamp, or before a simulation has a time."""
        stamp, now = _nanoseconds(header), self._node.get_clock().now().nanoseconds
        return (now - stamp) / 1e6 if stamp > 0 and now > 0 else None

    # Health

    def health(self) -> Health:
        """How the camera has fared since the last time this was asked."""
        now = self.statistics.summary()
        troubles: list[tuple[bytes, str]] = []
        if self._images is not None:
            troubles = judge(now, self._last_look, self._settings().limits, self._outputs.wanted)
            troubles += [(WARN, trouble) for trouble in self._connection_troubles(self._images)]
        self._last_look = now
        level = max((level for level, _ in troubles), default=OK)
        message = "; ".join(text for _, text in troubles)
        return Health(
            self.topics.image,
            level,
            message or ("OK" if self._images is not None else "not subscribed"),
            now.texts(),
            hardware=self.topics.namespace,
        )

    def _connection_troubles(self, images: Subscription) -> list[str]:
        offered = self._offered_types()
        if not offered:
            return ["nobody publishes it"]
        if self._input_type not in offered:
            return [
                f"its publishers send {', '.join(sorted(offered))}, not {self._input_type}: "
                "see the parameter input_type"
            ]
        return misfits(self._node, images)


def _nanoseconds(header: Header) -> int:
    """Of the stamp; below 0 where a driver made a mistake, which rclpy's Time refuses."""
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)


def segment(segmenter: Segmenter, pending: Sequence[PendingFrame]) -> None:
    """Takes frames of several cameras through the network."""
    try:
        at_input_size = True  # each output is brought to the camera's size when its turn comes
        results = segmenter.segment([item.frame.region for item in pending], at_input_size)
    except Exception as error:
        for item in pending:
            item.camera.fail(error)
        return
    for item, result in zip(pending, results, strict=True):
        item.camera.publish(item.header, item.frame, result)
