"""Quality of service: overrides by parameter, and what to do where publishers do not fit."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
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
        report: is told, in a sentence, when a publisher does not fit a subscription.
    """

    def __init__(self, node: Node, report: Callable[[str], None]) -> None:
        self._node = node
        self._report = report

    def publisher(self, kind: type, topic: str, qos: QoSProfile) -> Publisher:
        """A publisher.

        Raises:
            ParameterError: an override of its quality of service is none.
        """
        # No events: the executor would look at each publisher's whenever a frame comes, and a
        # subscriber that does not fit is told on its own side.
        silent = PublisherEventCallbacks(use_default_callbacks=False)
        create = functools.partial(self._node.create_publisher, kind, event_callbacks=silent)
        return self._create(create, topic, "publisher", qos)

    def subscription(
        self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile
    ) -> Subscription:
        """A subscription.

        Raises:
            ParameterError: an override of its quality of service is none.
        """

        def on_misfit(_: Any) -> None:
            for sentence in misfits(self._node, created):
                self._report(sentence)

        create = functools.partial(
            self._node.create_subscription,
            kind,
            callback=callback,
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=on_misfit, use_default_callbacks=False
            ),
        )
        created = self._create(create, topic, "subscription", qos)
        return created

    def unused_overrides(self) -> list[str]:
        """The overrides that are of none of the node's endpoints, and so no parameters."""
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


def misfits(node: Node, subscription: Subscription) -> list[str]:
    """The publishers that a subscription gets nothing from, and what to do about each.

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
