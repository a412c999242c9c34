"""What differs between ROS 2 distributions, and between what is installed on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

try:
    from vision_msgs.msg import LabelInfo, VisionClass
except ImportError:  # not among the ROS 2 wheels of PyPI
    LabelInfo = VisionClass = None

__all__ = [
    "LabelInfo",
    "PublisherEventCallbacks",
    "SubscriptionEventCallbacks",
    "TolerantLifecycleNode",
    "VisionClass",
    "parameter_overrides",
]


def parameter_overrides(node: Node) -> Mapping[str, Parameter]:
    """All parameters, by name, that files and the command line give to `node`.

    rclpy has no public way, from Humble to Lyrical, to see those that nobody declares. Should its
    private name go, unknown parameters are not noticed any more, and all else works.
    """
    overrides: dict[str, Parameter] = getattr(node, "_parameter_overrides", {})
    return overrides


class TolerantLifecycleNode(LifecycleNode):
    """A lifecycle node that refuses a transition which its state does not have.

    Humble's ends the process: the exception leaves the service's callback. Later ones refuse.
    """

    def _LifecycleNodeMixin__change_state(self, transition: int) -> Any:  # noqa: N802
        try:
            return super()._LifecycleNodeMixin__change_state(transition)
        except rclpy_implementation.RCLError as error:
            self.get_logger().error(f"transition {transition} is not possible: {error}")
            return TransitionCallbackReturn.ERROR
