"""Quality of service: overrides by parameter, and what to do where two ends do not fit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from hyperseg_ros.node.compatibility import (
    PublisherEventCallbacks,
    SubscriptionEventCallbacks,
    parameter_overrides,
)
from hyperseg_ros.node.parameters import ParameterError, nearest

_PREFIX = "qos_overrides."
_POLICIES = {
    kind.name.lower(): kind for kind in QoSPolicyKind if kind.name not in ("INVALID", "ALL")
}


class Endpoints:
    """Creates the publishers and subscriptions of a node, as its `qos_overrides` parameters say.

    They have the form `qos_overrides.<topic>.<publisher or subscription>.<policy>`, in rclpy's own
    way, but only those that are given become parameters: hundreds would hide the others.

    Args:
        node: what has them.
        report: is told, in a sentence, when another node's end of a topic does not fit.
    """

    def __init__(self, node: Node, report: Callable[[str], None]) -> None:
        self._node = node
        self._report = report
        self._overridden: set[str] = set()

    def publisher(self, kind: type, topic: str, qos: QoSProfile) -> Publisher:
        """A publisher.

        Raises:
            ParameterError: an override of its quality of service is none.
        """

        def misfit(_: Any) -> None:
            self._tell(misfits(self._node, created, "publisher"))

        # Overrides change the profile that they are given: each endpoint has its own.
        created = self._create(
            self._node.create_publisher,
            topic,
            "publisher",
            (kind, topic, copy.copy(qos)),
            event_callbacks=PublisherEventCallbacks(
                incompatible_qos=misfit, use_default_callbacks=False
            ),
        )
        return created

    def subscription(
        self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile
    ) -> Subscription:
        """A subscription.

        Raises:
            ParameterError: an override of its quality of service is none.
        """

        def misfit(_: Any) -> None:
            self._tell(misfits(self._node, created, "subscription"))

        # Overrides change the profile that they are given: each endpoint has its own.
        created = self._create(
            self._node.create_subscription,
            topic,
            "subscription",
            (kind, topic, callback, copy.copy(qos)),
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=misfit, use_default_callbacks=False
            ),
        )
        return created

    def unused_overrides(self) -> list[str]:
        """The overrides that are of none of the endpoints created so far."""
        return [
            name
            for name in parameter_overrides(self._node)
            if name.startswith(_PREFIX) and name not in self._overridden
        ]

    def _create(
        self, create: Callable[..., Any], topic: str, end: str, arguments: Any, **options: Any
    ) -> Any:
        prefix = f"{_PREFIX}{topic}.{end}."
        given = [name for name in parameter_overrides(self._node) if name.startswith(prefix)]
        kinds = []
        for name in given:
            policy = name[len(prefix) :]
            if policy not in _POLICIES:
                raise ParameterError(
                    f"{name}: no policy {policy!r}: {nearest(policy, _POLICIES)}"
                    f"The policies are {', '.join(_POLICIES)}"
                )
            kinds.append(_POLICIES[policy])
        self._overridden.update(given)
        try:
            return create(*arguments, qos_overriding_options=QoSOverridingOptions(kinds), **options)
        except RuntimeError as error:
            if not given:
                raise
            raise ParameterError(f"{prefix}*: {error}") from error

    def _tell(self, found: Iterable[str]) -> None:
        for sentence in found:
            self._report(sentence)


def misfits(node: Node, endpoint: Publisher | Subscription, end: str) -> list[str]:
    """What other nodes' ends of a topic do not fit ours, and what to do about each.

    Args:
        node: the node of our end.
        endpoint: our end.
        end: what it is, `publisher` or `subscription`.
    """
    topic = endpoint.topic_name
    ours = endpoint.qos_profile
    if end == "subscription":
        others = node.get_publishers_info_by_topic(topic)
    else:
        others = node.get_subscriptions_info_by_topic(topic)
    found = []
    for other in others:
        pair = (other.qos_profile, ours) if end == "subscription" else (ours, other.qos_profile)
        if qos_check_compatible(*pair)[0] != QoSCompatibility.ERROR:
            continue
        policy, offered, requested = _difference(*pair)
        name = f"{other.node_namespace.rstrip('/')}/{other.node_name}"
        if end == "subscription":
            found.append(
                f"nothing comes from {name} on {topic}: it offers {policy} {offered}, this node "
                f"requests {requested}; set qos_overrides.{topic}.subscription.{policy} to "
                f"{offered}{_shortcut(policy, 'input')}, or change the publisher"
            )
        else:
            found.append(
                f"{name} gets nothing of {topic}: it requests {policy} {requested}, this node "
                f"offers {offered}; set qos_overrides.{topic}.publisher.{policy} to {requested}"
                f"{_shortcut(policy, 'output')}, or change the subscriber"
            )
    return found


def _difference(offered: QoSProfile, requested: QoSProfile) -> tuple[str, str, str]:
    """The policy that two incompatible profiles differ in, and both values."""
    if (offered.reliability, requested.reliability) == (
        ReliabilityPolicy.BEST_EFFORT,
        ReliabilityPolicy.RELIABLE,
    ):
        return "reliability", "best_effort", "reliable"
    if (offered.durability, requested.durability) == (
        DurabilityPolicy.VOLATILE,
        DurabilityPolicy.TRANSIENT_LOCAL,
    ):
        return "durability", "volatile", "transient_local"
    if offered.liveliness != requested.liveliness:
        return "liveliness", offered.liveliness.name.lower(), requested.liveliness.name.lower()
    if offered.deadline != requested.deadline:
        return "deadline", str(offered.deadline.nanoseconds), str(requested.deadline.nanoseconds)
    return (
        "liveliness_lease_duration",
        str(offered.liveliness_lease_duration.nanoseconds),
        str(requested.liveliness_lease_duration.nanoseconds),
    )


def _shortcut(policy: str, end: str) -> str:
    return f" (or {end}_reliability)" if policy == "reliability" else ""
