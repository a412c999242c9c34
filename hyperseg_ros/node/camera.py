"""One camera: the way of its images from the topic to the mailbox, and on to the outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.frames.camera_info import fit_camera_info
from hyperseg_ros.frames.frame import Frame, SegmentedFrame
from hyperseg_ros.frames.messages import COMPRESSED_IMAGE, IMAGE
from hyperseg_ros.frames.pixels import ImageError
from hyperseg_ros.frames.region import Region
from hyperseg_ros.frames.temporal_filter import TemporalFilter
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.node.calibration import Calibration
from hyperseg_ros.node.conversions import read_picture
from hyperseg_ros.node.diagnostics import OK, STALE, WARN, Health, camera_values, judge
from hyperseg_ros.node.mailbox import Mailbox
from hyperseg_ros.node.metric_outputs import FREE_SPACE, POINTS, MetricOutputs
from hyperseg_ros.node.outputs import Outputs
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.rate_limiter import RateLimiter
from hyperseg_ros.node.settings import Settings
from hyperseg_ros.node.stamps import Stamps, nanoseconds
from hyperseg_ros.node.statistics import Statistics, Summary
from hyperseg_ros.node.subscription import FollowingSubscription
from hyperseg_ros.node.throttled_log import LOG_PERIOD, ThrottledLog
from hyperseg_ros.runtime import Segmentation, Segmenter


@dataclass(frozen=True)
class PendingFrame:
    """A frame that the network is to segment, and the camera it is from."""

    camera: Camera
    header: Header
    frame: Frame


class Camera:
    """The way of a camera's images through the node.

    The executor's thread leaves each image in the mailbox; the inference thread takes the newest
    one out with `take` and returns the network's result with `publish` or `fail`.

    Args:
        node: the node that subscribes.
        endpoints: creates subscriptions.
        topics: the names of the camera's topics.
        outputs: where results go; destroyed with the camera.
        metric: where results in metres go; destroyed with the camera.
        parameters: of the node when it is configured.
        settings: gives the current settings.
    """

    def __init__(
        self,
        node: Node,
        endpoints: Endpoints,
        topics: CameraTopics,
        outputs: Outputs,
        metric: MetricOutputs,
        parameters: Parameters,
        settings: Callable[[], Settings],
    ) -> None:
        self.topics = topics
        self.statistics = Statistics()
        self._node = node
        self._logger = node.get_logger().get_child(topics.image.strip("/").replace("/", "."))
        self._log = ThrottledLog(self._logger)
        self._outputs = outputs
        self._metric = metric
        self._settings = settings
        self._notify: Callable[[], None] = lambda: None
        self._mailbox: Mailbox[Image | CompressedImage] = Mailbox()
        self._limiter = RateLimiter()
        self._filter = TemporalFilter(0.0)
        self._filtered: tuple[tuple[int, ...], slice, slice] | None = None
        """What the temporal filter has seen: the images' height and width, rows and columns."""
        self._stamps = Stamps(
            topics.image, lambda: int(node.get_clock().now().nanoseconds), self._log
        )
        self._images = FollowingSubscription(
            node,
            endpoints,
            topics.image,
            _image_types(topics, parameters.input_type),
            self._on_image,
            parameters.input_reliability,
            parameters.input_depth,
            self._on_lost,
            type_parameter="input_type",
        )
        self._calibration = Calibration(node, endpoints, topics.camera_info, lambda: self._notify())
        self._image_size: tuple[int, int] | None = None
        self.frame_id = ""
        """Of the latest image."""
        self._last_look: Summary | None = None
        self._warnings: dict[str, str] = {}
        """About the latest images, as long as /diagnostics has not told them."""

    def start(self, notify: Callable[[], None]) -> None:
        """Announces the classes, then subscribes; `notify` is called for each image that waits."""
        self._notify = notify
        self.announce()
        self._stamps.forget()
        self._filter.reset()
        self.statistics.subscribed()
        self._metric.start(notify)
        self._calibration.open()
        self._images.open()

    def stop(self) -> None:
        """Unsubscribes and forgets the waiting image."""
        self._images.close()
        self._calibration.close()
        self._metric.stop()
        self._mailbox.take()

    def destroy(self) -> None:
        """Removes the camera's topics."""
        self.stop()
        self._outputs.destroy()
        self._metric.destroy()

    def announce(self) -> None:
        """Publishes `label_info`."""
        self._outputs.announce(self._settings().frame.min_confidence)

    def check(self, region: Region) -> None:
        """Checks that a region is within the camera's images, if one has arrived.

        Raises:
            ValueError: it is not.
        """
        if self._image_size is not None:
            region.within(*self._image_size)

    # From the topic to the mailbox, in the executor's thread

    def follow_publishers(self) -> None:
        """Resubscribes if the publishers have changed."""
        self._images.follow()
        self._calibration.follow()
        if self._images.is_open:
            self._metric.follow()
        self._notify()  # for an image that has waited for a calibration in vain

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.statistics.received()
        rate = self._settings().max_rate
        if rate and not self._limiter.admits(time.monotonic(), rate):
            self.statistics.skipped()
            return
        if self._mailbox.put(message):
            self.statistics.dropped()
        self._notify()

    def _on_lost(self, count: int) -> None:
        self.statistics.lost(count)
        self._log.warning(
            "lost",
            f"{count} images of {self.topics.image} were lost on their way from the camera: "
            f"{self._images.remedy}",
            10 * LOG_PERIOD,
        )

    # From the mailbox to the outputs, in the inference thread

    def take(self) -> PendingFrame | None:
        """The waiting image as a frame, if there is one that is wanted and good.

        Before that, points whose depth has come later than their labels are published.
        """
        self._publish_late_points()
        if self._mailbox.is_empty or self._waits_for_calibration():
            return None
        message = self._mailbox.take()
        if message is None:
            return None
        try:
            if not self.watched:
                self.statistics.unwatched()
                return None
            pending = PendingFrame(self, message.header, self._read(message))
            self._metric.expect(message.header)
            return pending
        except Exception as error:  # whatever is wrong with this image, the next one may be good
            self.fail(error)
            return None

    def _waits_for_calibration(self) -> bool:
        wanted = self._outputs.wants_camera_info or self._metric.wanted
        return wanted and self._calibration.is_due()

    def _read(self, message: Image | CompressedImage) -> Frame:
        self._stamps.check(message.header)
        self.frame_id = message.header.frame_id
        settings = self._settings()
        image, warning = read_picture(message, settings.reading)
        if warning:
            self._warnings["pixels"] = warning
            self._log.warning("pixels", f"{self.topics.image}: {warning}", 10 * LOG_PERIOD)
        height, width = image.shape[:2]
        if self._image_size not in (None, (height, width)):
            was_height, was_width = self._image_size or (0, 0)
            self._logger.info(
                f"images of {self.topics.image} are {width} x {height} now, no longer "
                f"{was_width} x {was_height}",
                throttle_duration_sec=LOG_PERIOD,
            )
        self._image_size = height, width
        try:
            rows, columns = settings.regions[self.topics.image].within(height, width)
        except ValueError as error:
            raise ImageError(str(error)) from None
        return Frame(image, rows, columns, settings.frame)

    def publish(self, header: Header, frame: Frame, result: Segmentation) -> None:
        """Publishes what the network made of a frame."""
        try:
            segmented = SegmentedFrame(frame, self._steadied(header, frame, result))
            self._outputs.publish(header, segmented, self._camera_info_for(frame, segmented))
            self._publish_metric(header, segmented)
            self.statistics.segmented(self._stamps.age_ms(header), result.inference_ms)
        except Exception as error:
            self.fail(error, header)

    def _steadied(self, header: Header, frame: Frame, result: Segmentation) -> Segmentation:
        """The result, with labels and confidence from the temporal filter."""
        kept = self._settings().temporal_filter
        seen = frame.image.shape[:2], frame.rows, frame.columns
        if kept != self._filter.kept or seen != self._filtered:
            self._filter, self._filtered = TemporalFilter(kept), seen
        if not kept:
            return result
        labels, confidence = self._filter.update(
            frame.region, result.labels, result.confidence, nanoseconds(header) / 1e9
        )
        return replace(result, labels=labels, confidence=confidence)

    def _publish_metric(self, header: Header, segmented: SegmentedFrame) -> None:
        reason = self._metric.publish(header, segmented, self._calibration.latest)
        if reason:
            self._tell_missing(FREE_SPACE, reason)
        self._publish_points()

    def _publish_late_points(self) -> None:
        try:
            self._publish_points()
        except Exception as error:  # the image that waits may be good
            self.fail(error)

    def _publish_points(self) -> None:
        for reason in self._metric.publish_points():
            self._tell_missing(POINTS, reason)

    def _tell_missing(self, output: str, reason: str) -> None:
        """Counts and reports a frame without one of the outputs in metres."""
        self.statistics.without(output)
        self._warnings[output] = f"no {output}: {reason}"
        self._log.warning(output, f"no {output} of {self.topics.image}: {reason}")

    def fail(self, error: Exception, header: Header | None = None) -> None:
        """Counts and reports a frame that failed.

        Args:
            error: what happened.
            header: of the frame's image, where `take` has given it out.
        """
        if header is not None:
            self._metric.forget(header)
        if not self._images.is_open or not self._node.context.ok():
            return  # the camera is stopped, or the process is shutting down
        kind = "bad image" if isinstance(error, ImageError) else "frame failed"
        self.statistics.bad(f"{kind}: {error}")
        self._log.error(kind, f"{kind} on {self.topics.image}: {error}")

    def _camera_info_for(self, frame: Frame, segmented: SegmentedFrame) -> CameraInfo | None:
        """The camera's latest calibration, made to fit the labels."""
        if not self._outputs.wants_camera_info:
            return None
        try:
            info = self._calibration.of(*frame.image.shape[:2])
        except ValueError as error:
            self._log.warning("calibration", str(error))
            return None
        if info is None or not frame.settings.at_input_size:
            return info
        height, width = segmented.labels.shape
        return fit_camera_info(info, frame.rows, frame.columns, (height, width))

    # Health

    @property
    def wants_metric(self) -> bool:
        """Whether anybody subscribes to its outputs in metres."""
        return self._images.is_open and self._metric.wanted

    @property
    def wants_pose(self) -> bool:
        """Whether anybody subscribes to its free space, which needs the camera's pose."""
        return self._images.is_open and self._metric.wants_pose

    @property
    def watched(self) -> bool:
        """Whether anybody subscribes to what needs the network."""
        return self._outputs.wanted or self._metric.wanted

    def clock_jumped(self) -> None:
        """Forgets what was measured with the clock as it was."""
        self._stamps.forget()
        self.statistics.forget_ages()

    def health(self) -> Health:
        """How the camera has fared since the last time this was asked."""
        now = self.statistics.summary()
        troubles: list[tuple[bytes, str]] = []
        if self._images.is_open:
            troubles = judge(now, self._last_look, self._settings().limits, self.watched)
            troubles += self._input_troubles(now, any(level == STALE for level, _ in troubles))
        self._last_look = now
        level = max((level for level, _ in troubles), default=OK)
        message = "; ".join(text for _, text in troubles)
        return Health(
            self.topics.image,
            level,
            message or ("OK" if self._images.is_open else "not subscribed"),
            camera_values(now),
            hardware=self.topics.namespace,
        )

    def input_troubles(self) -> list[str]:
        """Why no images may arrive, and what to do about it; at least one clause."""
        lost = f"its publisher sends nothing, or all gets lost: {self._images.remedy}"
        return self._images.troubles() or [lost]

    def _input_troubles(self, now: Summary, silent: bool) -> list[tuple[bytes, str]]:
        """What is wrong with how images arrive, and with what they are."""
        found = self.input_troubles() if silent else self._images.troubles()
        lost = now.counts.lost - (self._last_look.counts.lost if self._last_look else 0)
        if lost:
            found.append(f"{lost} images lost on their way from the camera: {self._images.remedy}")
        warnings, self._warnings = self._warnings, {}
        found += warnings.values()
        return [(WARN, text) for text in found]


def _image_types(topics: CameraTopics, input_type: str) -> dict[str, type]:
    """The messages that a camera may send, the likelier first."""
    types = {"raw": {IMAGE: Image}, "compressed": {COMPRESSED_IMAGE: CompressedImage}}
    if input_type != "auto":
        return types[input_type]
    if topics.compressed:
        return {**types["compressed"], **types["raw"]}
    return {**types["raw"], **types["compressed"]}


def segment(segmenter: Segmenter, pending: Sequence[PendingFrame]) -> None:
    """Takes frames of several cameras through the network."""
    try:
        at_input_size = True  # each output is brought to the camera's size when its turn comes
        results = segmenter.segment([item.frame.region for item in pending], at_input_size)
    except Exception as error:
        for item in pending:
            item.camera.fail(error, item.header)
        return
    for item, result in zip(pending, results, strict=True):
        item.camera.publish(item.header, item.frame, result)
