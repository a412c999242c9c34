"""Quality of service: overrides by parameter, and what to do where publishers mismatch."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.exceptions import InvalidParameterTypeException
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
from hyperseg_ros.node.declared_parameters import ParameterError, nearest

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
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    def publisher(self, kind: type, topic: str, qos: QoSProfile) -> Publisher:
        """A publisher.

        Raises:
            ParameterError: an override of its quality of service is invalid.
        """
        # No events: the executor would check each publisher's for every frame, and a mismatch is
        # reported on the subscriber's side.
        silent = PublisherEventCallbacks(use_default_callbacks=False)
        create = functools.partial(self._node.create_publisher, kind, event_callbacks=silent)
        return self._create(create, topic, "publisher", qos)

    def subscription(
        self,
        kind: type,
        topic: str,
        callback: Callable[[Any, Mapping[str, Any]], None],
        qos: QoSProfile,
        *,
        on_mismatch: Callable[[], None],
        on_lost: Callable[[int], None],
    ) -> Subscription:
        """A subscription.

        Args:
            kind: class of the messages.
            topic: fully qualified.
            callback: is given each message, and what the middleware says of it.
            qos: before overrides.
            on_mismatch: called when a publisher cannot serve the subscription.
            on_lost: called with the number of messages that the middleware has lost.

        Raises:
            ParameterError: an override of its quality of service is invalid.
        """
        events = SubscriptionEventCallbacks(
            incompatible_qos=lambda _: on_mismatch(),
            message_lost=lambda event: on_lost(event.total_count_change),
            use_default_callbacks=False,
        )
        create = functools.partial(
            self._node.create_subscription, kind, callback=callback, event_callbacks=events
        )
        return self._create(create, topic, "subscription", qos)

    def unused_overrides(self) -> list[str]:
        """The overrides that match none of the node's endpoints."""
        return [
            name
            for name in parameter_overrides(self._node)
            if name.startswith(_PREFIX) and not self._node.has_parameter(name)
        ]

    def _create(self, create: Callable[..., Any], topic: str, end: str, qos: QoSProfile) -> Any:
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
        options = QoSOverridingOptions(kinds)
        try:
            # rclpy writes the overrides into the profile.
            return create(topic=topic, qos_profile=copy.copy(qos), qos_overriding_options=options)
        except (RuntimeError, InvalidParameterTypeException) as error:
            if not given:
                raise
            raise ParameterError(f"{prefix}*: {error}") from error


def mismatches(node: Node, subscription: Subscription) -> list[str]:
    """The publishers whose QoS a subscription cannot be served with, and what to do about each.

    Args:
        node: the subscription's.
        subscription: ours.
    """
    topic = subscription.topic_name
    requested = subscription.qos_profile
    found = []
    for publisher in node.get_publishers_info_by_topic(topic):
        offered = publisher.qos_profile
        if qos_check_compatible(offered, requested)[0] != QoSCompatibility.ERROR:
            continue
        policy, theirs, ours = _difference(offered, requested)
        shortcut = " (or input_reliability)" if policy == "reliability" else ""
        found.append(
            f"nothing comes from {publisher.node_namespace.rstrip('/')}/{publisher.node_name} on "
            f"{topic}: it offers {policy} {theirs}, this node requests {ours}; set "
            f"qos_overrides.{topic}.subscription.{policy} to {theirs}{shortcut}, or change the "
            "publisher"
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
