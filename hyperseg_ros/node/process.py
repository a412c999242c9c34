"""The process of the segmentation node."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import get_logger

from hyperseg_ros.node.declared_parameters import ParameterError
from hyperseg_ros.node.parameter_node import WRONG_PARAMETERS, init_ros
from hyperseg_ros.node.scheduling import INFERENCE_THREAD
from hyperseg_ros.node.segmentation_node import SegmentationNode
from hyperseg_ros.node.shared_memory import advice
from hyperseg_ros.runtime.memory import keep_freed_memory

SIGNALS = (signal.SIGINT, signal.SIGTERM)
DEVICE_LOST = 3
"""The exit code of a node whose GPU is lost to its process: a new one may have it again."""
RESPONSE = 0.1
"""Seconds that an idle node may take to notice a signal."""
SWITCH_INTERVAL = 0.0005
"""Seconds for which the executor's thread may keep the inference thread from running Python."""
GRACE = 1.7
"""Seconds after a signal within which the process ends, whatever hangs."""


def run(
    arguments: Sequence[str] | None = None,
    create: Callable[[], SegmentationNode] = SegmentationNode,
) -> int:
    """Runs the node that `create` makes until SIGINT or SIGTERM; the exit code of the process.

    CUDA does not recover from some errors as long as the process lives: then the process ends
    with `DEVICE_LOST`, for whoever started it to start it again.

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
    _end_in_time()
    sys.setswitchinterval(SWITCH_INTERVAL)
    keep_freed_memory()
    try:
        init_ros(arguments)
        node = create()
    except ParameterError as error:
        get_logger("segmentation").fatal(str(error))
        rclpy.try_shutdown()
        return WRONG_PARAMETERS
    if remedy := advice():
        node.get_logger().warning(remedy)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not (stopping or node.device_lost):
            executor.spin_once(timeout_sec=RESPONSE)
    finally:
        if node.device_lost:
            node.get_logger().fatal(f"the GPU is lost to this process: exit code {DEVICE_LOST}")
            threading.Thread(target=_exit_after_grace, args=(DEVICE_LOST,), daemon=True).start()
        node.destroy_node()
        rclpy.shutdown()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # as it ends, Python makes handlers defaults
    code = DEVICE_LOST if node.device_lost else 0
    if any(thread.name == INFERENCE_THREAD for thread in threading.enumerate()):
        os._exit(code)  # it hangs in a library, which must not be taken down under it
    return code


def _end_in_time() -> None:
    """Ends the process a while after the first signal, if it has not ended before.

    A handler in Python runs between two steps of the main thread, which may be inside a library
    that compiles an engine for minutes, or waits for a network that hangs. This thread is woken by
    the byte that the C handler writes at once.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def watch() -> None:
        os.read(read_end, 1)
        _exit_after_grace(0)

    threading.Thread(target=watch, name="end in time", daemon=True).start()


def _exit_after_grace(code: int) -> None:
    threading.Event().wait(GRACE)
    os._exit(code)
