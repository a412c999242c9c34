"""The viewer's process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

import rclpy
from rclpy.logging import get_logger

from hyperseg_ros.node.declared_parameters import ParameterError
from hyperseg_ros.node.parameter_node import WRONG_PARAMETERS, init_ros
from hyperseg_ros.viewer.hub import Hub
from hyperseg_ros.viewer.site import Site

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until SIGINT or SIGTERM; the exit code of the process."""
    try:
        init_ros(arguments)
        hub = Hub()
    except ParameterError as error:
        get_logger("viewer").fatal(str(error))
        rclpy.try_shutdown()
        return WRONG_PARAMETERS
    try:
        asyncio.run(_serve(hub))
    finally:
        hub.stop()
        rclpy.shutdown()
    return 0


async def _serve(hub: Hub) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    hub.start()
    try:
        await Site(hub).run(stopping)
    finally:
        # `ros2 launch` repeats the SIGINT of the terminal, which would break off the clean-up.
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
