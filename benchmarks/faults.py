#!/usr/bin/env python3
"""Load and faults that a running node has to bear, and what a healthy consumer sees of them.

    tools/ros benchmarks/faults.py [--seconds S] [--only NAME ...] [--fastdds-profile FILE]

Node, cameras and consumers are processes that talk over DDS, with the model and the backend that
the node takes by itself; for each row the node is started anew. A frame is lost whose label does
not come: of a load that is too high for the network the newest frame wins. The longest gap is
between two labels of a camera. Shared memory is what Fast DDS could not free. The node alone has
the profile that the launch file would give it.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.node.fastdds_profile import AUTO, DESCRIPTION, profile_here
from hyperseg_ros.node.shared_memory import left_behind

NAMESPACE = f"/faults_{os.getpid()}"
RELIABLE = QoSProfile(depth=5)
START_TIMEOUT = 120.0
"""Seconds until labels must come."""
NODE = "import sys; from hyperseg_ros.node.main import main; sys.exit(main(sys.argv))"
CONSUMER = """
import sys, rclpy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("consumer")
node.create_subscription(Image, sys.argv[1], lambda _: None, 5)
rclpy.spin(node)
"""


@dataclass(frozen=True)
class Load:
    """What the cameras send."""

    cameras: int = 1
    rate: float = 5.0
    """Frames a second of each."""

    def __str__(self) -> str:
        return f"{self.cameras} x {self.rate:g} Hz"


class Stage:
    """A node, its cameras and a healthy consumer; what happens is counted."""

    def __init__(self, load: Load, arguments: Sequence[str], variables: dict[str, str]) -> None:
        self.load = load
        self._environment = {**os.environ, **variables}
        self.topics = [f"{NAMESPACE}/camera_{index}/image_raw" for index in range(load.cameras)]
        self.broken = False
        """Whether every second frame is no image."""
        self.jump = 0
        """Seconds by which stamps are off."""
        self.rosnode = rclpy.create_node("faults", namespace=NAMESPACE)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.rosnode)
        self._arguments = arguments
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._film, args=(t,)) for t in self.topics]
        self._pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
        self.sent: set[str] = set()
        self.arrived: dict[str, list[tuple[float, str]]] = {topic: [] for topic in self.topics}
        for topic in self.topics:
            self.rosnode.create_subscription(
                Image, self.label(topic), lambda m, t=topic: self._on_label(t, m), RELIABLE
            )
        self.node: subprocess.Popen[bytes] = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        topics = ", ".join(self.topics)
        arguments = ["--ros-args", "-r", f"__ns:={NAMESPACE}", "-p", f"image_topics:=[{topics}]"]
        return subprocess.Popen(
            [sys.executable, "-c", NODE, *arguments, *self._arguments],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def restart(self) -> None:
        """Kills the node and starts another."""
        self.node.kill()
        self.node.wait()
        self.node = self._start()

    @staticmethod
    def label(topic: str) -> str:
        """The topic of a camera's labels."""
        return topic.replace("image_raw", "segmentation/label")

    @property
    def memory_mb(self) -> float:
        """Resident memory of the node."""
        pages = Path(f"/proc/{self.node.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def __enter__(self) -> Stage:
        for thread in self._threads:
            thread.start()
        try:
            self._await_labels()
        except RuntimeError:
            self.__exit__()
            raise
        return self

    def _await_labels(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not all(self.arrived.values()):
            if self.node.poll() is not None:
                raise RuntimeError(f"the node ended by itself, with exit code {self.node.poll()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"no labels of every camera within {START_TIMEOUT:g} s")
            self.spin(0.1)

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.node.send_signal(signal.SIGINT)
        self.node.wait()
        self._executor.shutdown()
        self.rosnode.destroy_node()

    def spin(self, seconds: float) -> None:
        """Takes what comes for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.05)

    def _film(self, topic: str) -> None:
        publisher = self.rosnode.create_publisher(Image, topic, RELIABLE)
        begin, count = time.monotonic(), 0
        while not self._stopping.wait(max(0.0, begin + count / self.load.rate - time.monotonic())):
            count += 1
            message = to_image(Header(frame_id=f"{topic} {count}"), self._pixels, "bgr8")
            message.header.stamp = self.rosnode.get_clock().now().to_msg()
            message.header.stamp.sec += self.jump
            if self.broken and count % 2:
                message.step = 1
            else:
                self.sent.add(message.header.frame_id)
            publisher.publish(message)

    def _on_label(self, topic: str, message: Image) -> None:
        self.arrived[topic].append((time.monotonic(), message.header.frame_id))


Fault = Callable[[Stage, threading.Event], None]


def nothing(stage: Stage, over: threading.Event) -> None:
    """No fault."""
    over.wait()


def _consumer(stage: Stage) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CONSUMER, stage.label(stage.topics[0])])


def killed_consumers(stage: Stage, over: threading.Event) -> None:
    """Consumers come, and are killed after two seconds."""
    while not over.is_set():
        consumer = _consumer(stage)
        over.wait(2.0)
        consumer.kill()
        consumer.wait()


def frozen_consumer(stage: Stage, over: threading.Event) -> None:
    """A reliable consumer stops reading after two seconds, and is killed in the end."""
    consumer = _consumer(stage)
    over.wait(2.0)
    consumer.send_signal(signal.SIGSTOP)
    over.wait()
    consumer.kill()
    consumer.wait()


def killed_node(stage: Stage, over: threading.Event) -> None:
    """The node is killed every ten seconds, and starts again."""
    while not over.wait(10.0):
        stage.restart()


def broken_frames(stage: Stage, over: threading.Event) -> None:
    """Every second frame is no image."""
    stage.broken = True
    over.wait()


def time_jumps(stage: Stage, over: threading.Event) -> None:
    """The cameras' clock jumps by an hour, forth and back, each second."""
    while not over.wait(1.0):
        stage.jump = 3600 - stage.jump


def second_node(stage: Stage, over: threading.Event) -> None:
    """Another node of the same model starts and ends, again and again."""
    while not over.is_set():
        other = subprocess.Popen(
            [sys.executable, "-c", NODE, "--ros-args", "-r", f"__ns:={NAMESPACE}/other"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        over.wait(4.0)
        other.send_signal(signal.SIGINT)
        other.wait()


@contextmanager
def _client(kind: type, name: str) -> Iterator[Callable[[Any], Any]]:
    """Calls a service of the node from a node of its own."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("caller", namespace=NAMESPACE, context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    client = node.create_client(kind, f"segmentation/{name}")

    def call(request: Any) -> Any:
        future = client.call_async(request)
        executor.spin_until_future_complete(future, timeout_sec=5.0)
        return future.result()

    client.wait_for_service(START_TIMEOUT)
    yield call
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def parameters(stage: Stage, over: threading.Event) -> None:
    """Good and bad parameters are set as fast as the node answers."""
    dice = random.Random(0)
    with _client(SetParameters, "set_parameters") as call:
        while not over.is_set():
            value = dice.uniform(-1.0, 2.0)
            parameter = Parameter("overlay_opacity", value=value).to_parameter_msg()
            call(SetParameters.Request(parameters=[parameter]))


def transitions(stage: Stage, over: threading.Event) -> None:
    """The node is deactivated for a moment, twice a second."""
    pair = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE)
    with _client(ChangeState, "change_state") as call:
        while not over.wait(0.5):
            for transition in pair:
                call(ChangeState.Request(transition=Transition(id=transition)))


ROWS: dict[str, tuple[Load, Fault]] = {
    "none": (Load(), nothing),
    "overload": (Load(4, 30.0), nothing),
    "killed-consumers": (Load(), killed_consumers),
    "frozen-consumer": (Load(), frozen_consumer),
    "killed-node": (Load(), killed_node),
    "broken-frames": (Load(), broken_frames),
    "time-jumps": (Load(), time_jumps),
    "second-node": (Load(), second_node),
    "parameters": (Load(), parameters),
    "transitions": (Load(), transitions),
}


def measure(
    load: Load, fault: Fault, seconds: float, arguments: Sequence[str], variables: dict[str, str]
) -> str:
    """One row of the table."""
    left = left_behind()
    over = threading.Event()
    with Stage(load, arguments, variables) as stage:
        stage.spin(2.0)
        stage.sent.clear()
        for arrived in stage.arrived.values():
            arrived.clear()
        before, begin = stage.memory_mb, time.monotonic()
        thread = threading.Thread(target=fault, args=(stage, over))
        thread.start()
        stage.spin(seconds)
        end, sent = time.monotonic(), set(stage.sent)
        over.set()
        while thread.is_alive():
            stage.spin(0.1)
        stage.spin(1.0)
        after = stage.memory_mb
        got = {frame for arrived in stage.arrived.values() for _, frame in arrived}
        gaps = [
            float(np.diff([begin, *(at for at, _ in arrived if at < end), end]).max())
            for arrived in stage.arrived.values()
        ]
    lost = len(sent - got)
    return (
        f"{len(sent):6d} {lost:6d} {max(gaps):10.2f} {before:8.0f} {after:8.0f} "
        f"{(left_behind() - left) / 1e6:8.1f}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the rows that are asked for."""
    parser = argparse.ArgumentParser(description="Throw load and faults at a node: one table.")
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S", help="of each row")
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--fastdds-profile", default=AUTO, metavar="PROFILE", help=DESCRIPTION)
    parser.add_argument(
        "arguments", nargs="*", help="further ones of ROS for the node, after --: -p model:=..."
    )
    options = parser.parse_args(argv)
    profile = profile_here(options.fastdds_profile, os.environ)
    print(profile.said)
    rclpy.init()
    print(f"{'':30} {'frames':>13} {'longest':>10} {'node, MB':>17} {'left in':>8}")
    print(
        f"{'load':12} {'fault':17} {'sent':>6} {'lost':>6} {'gap, s':>10} {'before':>8} "
        f"{'after':>8} {'shm, MB':>8}",
        flush=True,
    )
    for name in options.only or ROWS:
        load, fault = ROWS[name]
        row = measure(load, fault, options.seconds, options.arguments, profile.variables)
        print(f"{load!s:12} {name:17} {row}", flush=True)
    rclpy.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
