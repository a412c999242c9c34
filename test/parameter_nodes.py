"""Nodes of ours that have parameters and do nothing else: a program that tests run.

Its first argument says which parameters: those of one of our nodes, or `lamp`.
"""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import dataclass

import rclpy
from rclpy.executors import SingleThreadedExecutor

from hyperseg_ros.demo.camera import CameraParameters
from hyperseg_ros.demo.recorder import RecorderParameters
from hyperseg_ros.node.declared_parameters import ParameterError, ParameterSet, Table, parameter
from hyperseg_ros.node.parameter_node import WRONG_PARAMETERS, ParameterNode, init_ros
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.viewer.parameters import Parameters as ViewerParameters


@dataclass(frozen=True)
class Lamp(ParameterSet):
    """Parameters of each kind: a number, a list and a table whose entries are no lists."""

    watts: float = parameter(40.0, "Power of the lamp.", bounds=(1.0, 100.0))
    hours: tuple[int, ...] = parameter((), "When it shines.", bounds=(0, 23), read_only=True)
    rooms: Table[str] = parameter((), "Where it shines: rooms.hall: ceiling.")


KINDS: dict[str, type[ParameterSet]] = {
    "lamp": Lamp,
    "segmentation": Parameters,
    "viewer": ViewerParameters,
    "demo_camera": CameraParameters,
    "demo_recorder": RecorderParameters,
}


class LampNode(ParameterNode[Lamp]):
    """Prints each change, and refuses the unlucky one."""

    def parameters_change(self, current: Lamp, new: Lamp) -> None:
        if new.watts == 13:
            raise ValueError("13 is unlucky")
        print(f"{new}\n", end="")


def main(which: str) -> int:
    """Spins the node until it is interrupted; the exit code of the process."""
    try:
        init_ros(sys.argv)
        node = LampNode(Lamp, which) if which == "lamp" else ParameterNode(KINDS[which], which)
    except ParameterError as error:
        print(error)
        rclpy.try_shutdown()
        return WRONG_PARAMETERS
    stopping = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not stopping.is_set():
        executor.spin_once(timeout_sec=0.1)
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
