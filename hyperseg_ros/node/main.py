"""The process of the segmentation node."""

from __future__ import annotations

import signal
from collections.abc import Sequence

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from hyperseg_ros.node.parameters import ParameterError
from hyperseg_ros.node.segmentation_node import SegmentationNode

SIGNALS = (signal.SIGINT, signal.SIGTERM)
RESPONSE = 0.1
"""Seconds that an idle node may take to notice a signal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code of the process.

    One thread executes callbacks, and the node has one for the network. In Python that beats a
    MultiThreadedExecutor.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    # rclpy's own handlers would take the context away in the middle of whatever uses it, and
    # Python's would break off the clean-up: `ros2 launch` repeats the SIGINT of the terminal.
    for number in SIGNALS:
        signal.signal(number, stop)
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = SegmentationNode()
    except ParameterError as error:
        get_logger("segmentation").fatal(str(error))
        rclpy.shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not stopping:
            executor.spin_once(timeout_sec=RESPONSE)
    finally:
        node.destroy_node()
        rclpy.shutdown()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # as it ends, Python makes handlers defaults
    return 0
