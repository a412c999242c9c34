"""One camera as the viewer receives it."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from rclpy.clock import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image, LaserScan

from hyperseg_ros.frames.messages import COMPRESSED_IMAGE, IMAGE
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.viewer.discovery import IMAGE_TYPES, offer
from hyperseg_ros.viewer.pairing import Pair, Pairing
from hyperseg_ros.viewer.picture import Picture

WINDOW = 2.0
"""Seconds that rate and latency are computed over."""
SILENCE = 2.0
"""Seconds without a message after which the page says so."""
OTHER_CLOCK = 600.0
"""Seconds of latency above which stamps are by another clock, as those of a recording are."""
QUEUE_DEPTH = 5

_numbers = itertools.count(1)


@dataclass(frozen=True)
class FeedReport:
    """Rate, latency and troubles of a camera over the last seconds."""

    rate: float
    """Label images a second."""
    latency_ms: float | None
    """From stamp to arrival, median; None without labels, or with stamps by another clock."""
    notes: tuple[str, ...]
    """What is wrong, and what to do about it."""


class Feed:
    """The subscriptions of one camera, and the newest picture.

    They follow their publishers: they begin when there is one, with the type of image that these
    send, and ask for reliable messages where all publishers offer them. Only `latest` is for other
    threads than the executor's.

    Args:
        node: what subscribes.
        topics: the names of the camera's topics.
        on_picture: is called when `latest` is another one.
    """

    def __init__(self, node: Node, topics: CameraTopics, on_picture: Callable[[], None]) -> None:
        self.topics = topics
        self.latest: Picture | None = None
        self.latest_scan: LaserScan | None = None
        self.wants_scan = False
        """Whether to subscribe to free space; takes effect with `follow_publishers`."""
        self._node = node
        self._on_picture = on_picture
        self._pairing = Pairing()
        self._subscriptions: dict[str, tuple[tuple[Any, ...], Subscription]] = {}
        self._last = dict.fromkeys((topics.image, self.label, self.scan), time.monotonic())
        self._arrivals: deque[tuple[float, float | None]] = deque()
        self.follow_publishers()

    @property
    def label(self) -> str:
        """The topic of the labels."""
        return self.topics.output("label")

    @property
    def scan(self) -> str:
        """The topic of free space."""
        return self.topics.output("free_space/scan")

    def follow_publishers(self) -> None:
        """Subscribes where there are publishers, and again where their QoS or type changes."""
        types, reliability = offer(self._node, self.topics.image)
        kind = COMPRESSED_IMAGE if self.topics.compressed else IMAGE
        if kind not in types:
            kind = min(types & set(IMAGE_TYPES), default=kind)
        self._subscribe(self.topics.image, IMAGE_TYPES[kind], self._on_image, reliability)
        _, reliability = offer(self._node, self.label)
        self._subscribe(self.label, Image, self._on_label, reliability)
        if self.wants_scan:
            _, reliability = offer(self._node, self.scan)
            self._subscribe(self.scan, LaserScan, self._on_scan, reliability)
        elif self.scan in self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop(self.scan)[1])
            self.latest_scan = None

    def stop(self) -> None:
        """Unsubscribes."""
        for _, subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions = {}
        self.latest = self.latest_scan = None

    def report(self) -> FeedReport:
        """The report of the last seconds."""
        oldest = time.monotonic() - WINDOW
        while self._arrivals and self._arrivals[0][0] < oldest:
            self._arrivals.popleft()
        ages = [age for _, age in self._arrivals if age is not None]
        images, labels = self.topics.image, self.label
        return FeedReport(
            rate=len(self._arrivals) / WINDOW,
            latency_ms=median(ages) if ages else None,
            notes=(
                *self._troubles(images, "image"),
                *self._troubles(labels, "label"),
                *self._scan_troubles(),
            ),
        )

    def _subscribe(
        self,
        topic: str,
        kind: type,
        callback: Callable[[Any], None],
        reliability: ReliabilityPolicy,
    ) -> None:
        if not self._node.count_publishers(topic):
            return
        wanted = (kind, reliability)
        if topic in self._subscriptions:
            present, subscription = self._subscriptions[topic]
            if present == wanted:
                return
            self._node.destroy_subscription(subscription)
        qos = QoSProfile(depth=QUEUE_DEPTH, reliability=reliability)
        self._subscriptions[topic] = (
            wanted,
            self._node.create_subscription(kind, topic, callback, qos),
        )
        self._last[topic] = time.monotonic()

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._last[self.topics.image] = time.monotonic()
        self._show(self._pairing.add_image(message))

    def _on_label(self, message: Image) -> None:
        now = time.monotonic()
        self._last[self.label] = now
        self._arrivals.append((now, self._age_ms(message)))
        self._show(self._pairing.add_label(message))

    def _on_scan(self, message: LaserScan) -> None:
        self._last[self.scan] = time.monotonic()
        self.latest_scan = message
        self._on_picture()

    def _show(self, pair: Pair | None) -> None:
        if pair is not None:
            self.latest = Picture(next(_numbers), *pair)
            self._on_picture()

    def _age_ms(self, message: Image) -> float | None:
        if message.header.stamp.sec < 0:
            return None
        stamp = Time.from_msg(message.header.stamp, ClockType.ROS_TIME)
        now = self._node.get_clock().now()
        if stamp.nanoseconds == 0 or now.nanoseconds == 0:
            return None
        age = (now - stamp).nanoseconds / 1e6
        return age if abs(age) < OTHER_CLOCK * 1e3 else None

    def _scan_troubles(self) -> list[str]:
        if not self.wants_scan or time.monotonic() - self._last[self.scan] <= SILENCE:
            return []
        return [
            f"Nothing comes on {self.scan}: does the segmentation node know where the camera is "
            "(its parameter mount, or TF), and which classes are ground? Its log says why not."
        ]

    def _troubles(self, topic: str, what: str) -> list[str]:
        """What is wrong with a topic, in the same words while it lasts: it is logged once."""
        types, _ = offer(self._node, topic)
        article = "an" if what == "image" else "a"
        if not types:
            if what == "label":
                return [f"Waiting for a segmentation node: nobody publishes {topic}."]
            return [f"Waiting for the camera: nobody publishes {topic}."]
        if topic not in self._subscriptions:
            return []  # at the next look
        (kind, _), _ = self._subscriptions[topic]
        if kind not in [IMAGE_TYPES.get(name) for name in types]:
            return [f"{topic} carries {', '.join(sorted(types))}, which is not {article} {what}."]
        if time.monotonic() - self._last[topic] > SILENCE:
            return [f"Nothing comes on {topic}, though it has a publisher."]
        return []
