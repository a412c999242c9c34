"""The node's health on /diagnostics, once a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

PERIOD = 1.0


@dataclass
class Health:
    """The state of one thing, in words."""

    name: str
    level: bytes
    message: str
    values: dict[str, str] = field(default_factory=dict)


OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Diagnostics:
    """Publishes what `examine` finds, in every state of the node's life.

    Args:
        node: the node that publishes.
        examine: gives the present health of everything the node has.
    """

    def __init__(self, node: Node, examine: Callable[[], Iterable[Health]]) -> None:
        self._node = node
        self._examine = examine
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        # Steady time: a paused simulation is no reason for silence.
        node.create_timer(PERIOD, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _publish(self) -> None:
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        array.status = [
            DiagnosticStatus(
                name=f"{self._node.get_fully_qualified_name()}: {health.name}",
                level=health.level,
                message=health.message,
                values=[KeyValue(key=key, value=value) for key, value in health.values.items()],
            )
            for health in self._examine()
        ]
        self._publisher.publish(array)
