"""A subscription that follows its topic's publishers: in reliability, and in message type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from hyperseg_ros.node.quality_of_service import Endpoints, mismatches

AUTO = "auto"
"""The reliability of a subscription that is reliable where all of its publishers are."""

_BUFFERS = (
    "messages that are larger than the middleware's buffers need config/fastdds.xml (see README), "
    "compression, or a lower resolution"
)


class FollowingSubscription:
    """The subscription of one topic, remade when its publishers change.

    All methods are called in the executor's thread.

    Args:
        node: the node that subscribes.
        endpoints: creates subscriptions.
        topic: fully qualified.
        types: message class by type name; the first is subscribed to while no publisher says
            otherwise, and the only one is kept.
        callback: is given each message.
        reliability: best_effort, reliable, or `AUTO`.
        depth: of the queue.
        on_lost: called with the number of messages that were lost.
        type_parameter: the node's parameter that says which types it may be, if there is one.
    """

    def __init__(
        self,
        node: Node,
        endpoints: Endpoints,
        topic: str,
        types: Mapping[str, type],
        callback: Callable[[Any], None],
        reliability: str,
        depth: int,
        on_lost: Callable[[int], None],
        type_parameter: str = "",
    ) -> None:
        self.topic = topic
        self._node = node
        self._endpoints = endpoints
        self._types = dict(types)
        self._type = next(iter(types))
        self._callback = callback
        self._reliability = reliability
        self._reliable = reliability != "best_effort"
        self._depth = depth
        self._report = on_lost
        self._type_parameter = type_parameter
        self._subscription: Subscription | None = None
        self._told: set[str] = set()
        self._sequence: int | None = None
        """The number that its publisher gave the latest message."""
        self._missing = self._lost = 0
        """Since the last look: gaps in these numbers, and what the middleware says was lost."""

    @property
    def is_open(self) -> bool:
        """Whether it is subscribed."""
        return self._subscription is not None

    def open(self) -> None:
        """Subscribes as the publishers that are there ask for."""
        self._adapt()
        self._subscribe()

    def close(self) -> None:
        """Unsubscribes."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def follow(self) -> None:
        """Resubscribes if the publishers need another type or reliability.

        Also reports what was lost since the last call.
        """
        self._report_losses()
        if self._subscription is not None and self._adapt():
            self.close()
            self._subscribe()
            self._node.get_logger().info(
                f"{self.topic} carries {self._type}, "
                f"{'reliable' if self._reliable else 'best effort'}: resubscribed"
            )

    def publishers(self) -> int:
        """How many publishers send the type that is subscribed to."""
        return sum(info.topic_type == self._type for info in self._infos())

    def troubles(self) -> list[str]:
        """Why messages cannot arrive, and what to do about it; a sentence each."""
        if self._subscription is None:
            return []
        offered = {info.topic_type for info in self._infos()}
        if not offered:
            return ["nobody publishes it"]
        if self._type not in offered:
            hint = f": see the parameter {self._type_parameter}" if self._type_parameter else ""
            return [
                f"its publishers send {', '.join(sorted(offered))}, not "
                f"{' or '.join(self._types)}{hint}"
            ]
        return mismatches(self._node, self._subscription)

    @property
    def remedy(self) -> str:
        """What to do about messages that get lost."""
        if self._subscription is None or self._is_reliable(self._subscription):
            return _BUFFERS
        if self._reliability == AUTO:
            return f"let the camera publish reliable; {_BUFFERS}"
        return f"set input_reliability to auto; {_BUFFERS}"

    def _infos(self) -> list[Any]:
        return list(self._node.get_publishers_info_by_topic(self.topic))

    def _adapt(self) -> bool:
        """Takes the type and reliability that the publishers ask for; True if either changes."""
        before = self._type, self._reliable
        infos = self._infos()
        offered = {info.topic_type for info in infos}
        if self._type not in offered:
            self._type = next((name for name in self._types if name in offered), self._type)
        profiles = [info.qos_profile for info in infos if info.topic_type == self._type]
        if self._reliability == AUTO and profiles:
            self._reliable = all(
                profile.reliability == ReliabilityPolicy.RELIABLE for profile in profiles
            )
        return before != (self._type, self._reliable)

    def _subscribe(self) -> None:
        reliability = (
            ReliabilityPolicy.RELIABLE if self._reliable else ReliabilityPolicy.BEST_EFFORT
        )
        self._subscription = self._endpoints.subscription(
            self._types[self._type],
            self.topic,
            self._on_message,
            QoSProfile(depth=self._depth, reliability=reliability),
            on_mismatch=self._on_mismatch,
            on_lost=self._on_loss,
        )
        self._sequence = None

    def _on_message(self, message: Any, info: Mapping[str, Any]) -> None:
        number = info.get("publication_sequence_number")  # not before Iron
        if number is not None:
            if self._sequence is not None and number > self._sequence:
                self._missing += number - self._sequence - 1
            self._sequence = number
        self._callback(message)

    def _on_loss(self, count: int) -> None:
        self._lost += count

    def _report_losses(self) -> None:
        """The middleware is silent where a reliable publisher has given up on a message."""
        several = len(self._infos()) != 1  # each has numbers of its own
        count = self._lost if several else max(self._lost, self._missing)
        self._lost = self._missing = 0
        if count:
            self._report(count)

    @staticmethod
    def _is_reliable(subscription: Subscription) -> bool:
        """Overrides included."""
        profile: QoSProfile = subscription.qos_profile
        return bool(profile.reliability == ReliabilityPolicy.RELIABLE)

    def _on_mismatch(self) -> None:
        if self._node.executor is not None:  # not in the event of what may be destroyed
            self._node.executor.create_task(self._settle_mismatch)

    def _settle_mismatch(self) -> None:
        self.follow()
        if self._subscription is not None:
            for sentence in mismatches(self._node, self._subscription):
                if sentence not in self._told:
                    self._told.add(sentence)
                    self._node.get_logger().warning(sentence)
