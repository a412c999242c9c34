"""The depth that belongs to a camera's images, joined by stamp."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

from hyperseg_ros.frames.messages import IMAGE, POINT_CLOUD
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.stamps import nanoseconds
from hyperseg_ros.node.subscription import AUTO, FollowingSubscription

KEPT = 16
"""Messages that are kept for the images still to come."""
EXPECTED = 8
"""Images that each keep the message nearest to them: those at work and those that wait."""
SILENCE = 1.0
"""Seconds without depth after which none is waited for."""

Message: TypeAlias = Image | PointCloud2


class Depth:
    """A depth image or organized cloud topic; subscribed to only while points are wanted.

    Args:
        node: the node that subscribes.
        endpoints: creates subscriptions.
        topic: fully qualified.
        tolerance: seconds that the stamps of image and depth may differ.
        arrived: is called for each message, in the executor's thread.
    """

    def __init__(
        self,
        node: Node,
        endpoints: Endpoints,
        topic: str,
        tolerance: float,
        arrived: Callable[[], None],
    ) -> None:
        self.topic = topic
        self._tolerance = tolerance
        self._lock = threading.Lock()
        self._arrived = arrived
        self._messages: deque[Message] = deque(maxlen=KEPT)
        self._expected: dict[int, Message | None] = {}
        """What is nearest so far to images on their way, by their stamps in nanoseconds."""
        self._came = -math.inf
        """When the latest message came, seconds of a steady clock."""
        self._troubles: list[str] = []
        """Why nothing has come, a clause each."""
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
        self._troubles = [] if self._messages else self._subscription.troubles()

    def close(self) -> None:
        """Unsubscribes, and forgets what came."""
        self._subscription.close()
        with self._lock:
            self._messages.clear()
            self._expected.clear()

    def expect(self, header: Header) -> None:
        """Keeps the depth of an image until `forget`, while the topic is subscribed to.

        Only so many images can be expected: the ones before them are forgotten.
        """
        stamp = nanoseconds(header)
        with self._lock:
            if not self._subscription.is_open:
                return
            self._expected[stamp] = _nearest(self._messages, stamp)
            while len(self._expected) > EXPECTED:
                del self._expected[next(iter(self._expected))]

    def forget(self, header: Header) -> None:
        """Keeps the depth of an image no longer."""
        with self._lock:
            self._expected.pop(nanoseconds(header), None)

    def find(self, header: Header, patient: bool = False) -> Message | None:
        """The depth nearest to an image, of all that has come; None where none is near enough.

        Args:
            header: of the image.
            patient: whether to give none while a nearer one may be about to come. That may be
                while all that has come is from before the image, the next may lie on its other
                side and nearer, by how close together they are, and the last came within `SILENCE`.
        """
        stamp = nanoseconds(header)
        with self._lock:
            nearest = self._nearest(stamp)
            if nearest is None or _distance(nearest, stamp) > self._tolerance * 1e9:
                return None
            return None if patient and self._may_come_nearer(nearest, stamp) else nearest

    def missing(self, header: Header) -> str:
        """Why an image has no depth, a clause."""
        stamp = nanoseconds(header)
        with self._lock:
            nearest = self._nearest(stamp)
        if nearest is None:
            why = " and ".join(self._troubles)
            return f"nothing has come on {self.topic} yet{': ' if why else ''}{why}"
        return (
            f"the nearest depth on {self.topic} is {_distance(nearest, stamp) / 1e9:.3f} s from "
            f"the image, more than depth_tolerance {self._tolerance:g}: use a depth camera that "
            "is synchronized"
        )

    def _nearest(self, stamp: int) -> Message | None:
        return _nearest((*self._messages, self._expected.get(stamp)), stamp)

    def _may_come_nearer(self, nearest: Message, stamp: int) -> bool:
        """Whether depth to come may be nearer to an image than the nearest that has come."""
        distance = _distance(nearest, stamp)
        if not distance or time.monotonic() - self._came > SILENCE:
            return False
        if nanoseconds(self._messages[-1].header) >= stamp:
            return False  # stamps rise: what is to come is farther away
        if len(self._messages) < KEPT:
            return True  # too few to know how far they are apart
        stamps = sorted(nanoseconds(message.header) for message in self._messages)
        return min(after - before for before, after in itertools.pairwise(stamps)) < 2 * distance

    def _on_message(self, message: Message) -> None:
        with self._lock:
            self._messages.append(message)
            self._came = time.monotonic()
            for stamp, nearest in self._expected.items():
                self._expected[stamp] = _nearest((message, nearest), stamp)
        self._arrived()


def _nearest(messages: Iterable[Message | None], stamp: int) -> Message | None:
    """The message whose stamp is nearest to another, in nanoseconds; None where there is none."""
    there = (message for message in messages if message is not None)
    return min(there, key=lambda message: _distance(message, stamp), default=None)


def _distance(message: Message, stamp: int) -> int:
    """Nanoseconds between a message's stamp and another."""
    return abs(nanoseconds(message.header) - stamp)
