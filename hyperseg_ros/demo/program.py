"""How the demo's ROS programs begin and end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor

from hyperseg_ros.demo.interrupt import Interrupt
from hyperseg_ros.node.declared_parameters import ParameterError
from hyperseg_ros.node.parameter_node import WRONG_PARAMETERS, P, ParameterNode, init_ros

_interrupt = Interrupt()
_LOOK_PERIOD = 0.1
"""Seconds between two looks at whether a signal has come: it does not end a wait of rclpy."""


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
        """Do the job and return the exit status; `spin_for` may ask it to end early."""
        raise NotImplementedError

    def spin_for(self, seconds: float) -> None:
        """Handle what has come in, or wait for it a moment, at most `seconds`.

        Raises:
            KeyboardInterrupt: a signal has asked the program to end.
        """
        spin(self._executor, seconds, _interrupt)


def spin(executor: Executor, seconds: float, interrupt: Interrupt) -> None:
    """Let an executor work for a moment, at most `seconds`.

    Raises:
        KeyboardInterrupt: a signal has come.
    """
    executor.spin_once(timeout_sec=min(max(seconds, 0.0), _LOOK_PERIOD))
    interrupt.raise_pending()


def run_program(make: Callable[[], Program[Any]], arguments: list[str] | None = None) -> int:
    """Make a node and let it do its job.

    SIGINT and SIGTERM reach the job, once, as a KeyboardInterrupt of `spin_for`, while the ROS
    graph still stands, so that it can say that it ends. An error in what a user gave (a
    ValueError), or of a file, is one line on stderr.

    Returns:
        The exit status: the job's, 2 for an invalid parameter, or 1 after another error.
    """
    _interrupt.listen()
    try:
        init_ros(arguments)
        program = make()
        try:
            return program.run()
        finally:
            _interrupt.ignore()
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
