"""How the demo's ROS programs begin and end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor

from hyperseg_ros.node.declared_parameters import ParameterError
from hyperseg_ros.node.parameter_node import WRONG_PARAMETERS, P, ParameterNode, init_ros


class Program(ParameterNode[P]):
    """A node with a job that ends, which spins while it waits.

    Args:
        kind: its parameters.
        name, namespace: of the node.

    Raises:
        ParameterError: a given name is not a parameter of the node, or a given value is invalid.
    """

    def __init__(self, kind: type[P], name: str, namespace: str, **options: Any) -> None:
        super().__init__(kind, name, namespace=namespace, **options)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def run(self) -> int:
        """Do the job and return the exit status; a KeyboardInterrupt asks it to end early."""
        raise NotImplementedError

    def spin_for(self, seconds: float) -> None:
        """Handle what has come in, or wait for it, at most `seconds`."""
        self._executor.spin_once(timeout_sec=max(seconds, 0.0))


def run_program(make: Callable[[], Program[Any]], arguments: list[str] | None = None) -> int:
    """Make a node and let it do its job.

    SIGINT and SIGTERM reach the job, once, as KeyboardInterrupt while the ROS graph still stands,
    so that it can say that it ends. An error in what a user gave (a ValueError), or of a
    file, is one line on stderr.

    Returns:
        The exit status: the job's, 2 for an invalid parameter, or 1 after another error.
    """
    signal.signal(signal.SIGINT, _interrupt_once)
    signal.signal(signal.SIGTERM, _interrupt_once)
    try:
        init_ros(arguments)
        program = make()
        try:
            return program.run()
        finally:
            _ignore_further()
            program.destroy_node()
    except KeyboardInterrupt:
        return 0
    except ParameterError as error:
        print(error, file=sys.stderr)
        return WRONG_PARAMETERS
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()


@contextmanager
def held_back() -> Iterator[None]:
    """Puts a KeyboardInterrupt off to the end of the block, which it would leave half done."""
    _interrupt.held = True
    try:
        yield
    finally:
        _interrupt.held = False
        if _interrupt.pending:
            _interrupt.pending = False
            raise KeyboardInterrupt


class _Interrupt:
    """Whether one may come now, and whether one has come meanwhile."""

    held = pending = False


_interrupt = _Interrupt()


def _interrupt_once(signum: int, frame: FrameType | None) -> None:
    # Under `ros2 launch` a Ctrl-C arrives twice, then SIGTERM; they must not break off the first's
    # work.
    _ignore_further()
    if _interrupt.held:
        _interrupt.pending = True
    else:
        raise KeyboardInterrupt


def _ignore_further() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
