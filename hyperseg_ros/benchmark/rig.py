"""A node under load: cameras, node and consumer as processes that talk over DDS, as on a robot.

The network is a clock: it takes a given time and no processor, so that what is measured is the
node.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hyperseg_ros.benchmark.clocked_network import open_clocked
from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.node.diagnostics import Key
from hyperseg_ros.node.fastdds_profile import AUTO, profile_here
from hyperseg_ros.node.process import run as run_node
from hyperseg_ros.node.segmentation_node import SegmentationNode
from hyperseg_ros.node.statistics import WINDOW
from hyperseg_ros.runtime.memory import keep_freed_memory
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL

OUTPUTS = ("label", "confidence")
"""What a frame's arrival is judged by."""
START_TIMEOUT = 60.0
"""Seconds until all processes must have found each other."""


@dataclass(frozen=True)
class Load:
    """What the node has to bear."""

    cameras: int
    rate: float
    """Frames a second of each camera."""
    size: tuple[int, int]
    """Height and width of the images."""
    inference_ms: float
    """That the network takes for a frame."""
    model: str = DEFAULT_MODEL
    """Whose classes and input size the network has."""


@dataclass(frozen=True)
class Outcome:
    """How the node has borne it; one entry a camera where there are several."""

    frames: tuple[int, ...]
    """Labels that arrived."""
    arrival_ms: NDArray[np.float64]
    """From a frame's stamp until label and confidence are with the consumer, of every frame."""
    published_ms: tuple[float, float]
    """From stamp until all outputs are published, as the node says: median, 95th percentile."""
    bad: int
    """Frames that failed."""
    memory_mb: tuple[float, float]
    """Resident memory of the node, at the beginning and at the end."""


class Rig:
    """A node under load, and a consumer in this process. Use as a context manager.

    Args:
        load: what the node has to bear.
        parameters: further ones of the node.
        bare: whether a process that passes images on and does nothing else takes the place of
            the node: what it takes is ROS 2's.
    """

    def __init__(
        self, load: Load, parameters: Mapping[str, object] | None = None, bare: bool = False
    ) -> None:
        self._load = load
        self._serve = _pass_on if bare else _serve
        self._namespace = f"/benchmark_{os.getpid()}"
        self._topics = [f"{self._namespace}/camera_{i}/image_raw" for i in range(load.cameras)]
        self._parameters = {
            "model": load.model,
            "image_topics": self._topics,
            **(parameters or {}),
        }
        self._processes: list[BaseProcess] = []
        self._arrivals: dict[tuple[int, int], dict[str, float]] = {}
        self._statuses: dict[str, DiagnosticStatus] = {}

    def __enter__(self) -> Rig:
        keep_freed_memory()
        variables = profile_here(AUTO, os.environ).variables
        self._named = [name for name in variables if name not in os.environ]
        os.environ.update(variables)
        processes = get_context("spawn")
        self._processes = [
            processes.Process(
                target=self._serve,
                args=(self._namespace, self._parameters, self._load),
            ),
            processes.Process(target=_film, args=(self._topics, self._load)),
        ]
        for process in self._processes:
            process.start()
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("consumer", namespace=self._namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)
        for name in self._named:
            del os.environ[name]
        for process in self._processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        for process in self._processes:
            process.join(10)
            if process.is_alive():
                process.kill()

    def measure(
        self, outputs: Mapping[str, type], seconds: float, settle: float = WINDOW
    ) -> Outcome:
        """Subscribes to outputs of every camera, lets things settle, and measures.

        Args:
            outputs: name and message type of each; label and confidence are among them.
            seconds: how long to measure.
            settle: seconds before that; by default so many that no older frame is in the node's
                statistics.

        Raises:
            RuntimeError: the node or the cameras have ended, or no labels come.
        """
        with self._subscribed(outputs, settle):
            before = self._memory_mb()
            whole = self._arrive(seconds)
        values = [
            {entry.key: entry.value for entry in self._statuses[topic].values}
            for topic in self._topics
        ]
        return Outcome(
            frames=tuple(sum(i == camera for i, _ in whole) for camera in range(len(values))),
            arrival_ms=np.array([age for _, age in whole]),
            published_ms=(
                max(float(value[Key.LATENCY_P50]) for value in values),
                max(float(value[Key.LATENCY_P95]) for value in values),
            ),
            bad=sum(int(value[Key.BAD]) for value in values),
            memory_mb=(before, self._memory_mb()),
        )

    def measure_arrival(
        self, outputs: Mapping[str, type], seconds: float, settle: float = WINDOW
    ) -> NDArray[np.float64]:
        """`Outcome.arrival_ms` alone, which there is without a node too; else as `measure`."""
        with self._subscribed(outputs, settle):
            return np.array([age for _, age in self._arrive(seconds)])

    @contextmanager
    def _subscribed(self, outputs: Mapping[str, type], settle: float) -> Iterator[None]:
        subscriptions = [
            self._node.create_subscription(
                kind,
                topic.replace("image_raw", f"segmentation/{name}"),
                lambda message, index=index, name=name: self._on_output(index, name, message),
                qos_profile_sensor_data,
            )
            for index, topic in enumerate(self._topics)
            for name, kind in outputs.items()
        ]
        try:
            self._await_labels()
            self._spin(settle)
            yield
        finally:
            for subscription in subscriptions:
                self._node.destroy_subscription(subscription)

    def _arrive(self, seconds: float) -> list[tuple[int, float]]:
        """The camera and the age, in ms, of each frame whose label and confidence arrive."""
        self._arrivals.clear()
        self._spin(seconds)
        return [
            (index, max(found[name] for name in OUTPUTS) * 1e3)
            for (index, _), found in self._arrivals.items()
            if set(OUTPUTS) <= set(found)
        ]

    def _await_labels(self) -> None:
        self._arrivals.clear()
        deadline = time.monotonic() + START_TIMEOUT
        while len({index for index, _ in self._arrivals}) < self._load.cameras:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no labels of every camera within {START_TIMEOUT:g} s")
            self._spin(0.1)

    def _spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.1)
            if not all(process.is_alive() for process in self._processes):
                raise RuntimeError("the node or the cameras have ended before the benchmark")

    def _on_output(self, index: int, name: str, message: Any) -> None:
        now = self._node.get_clock().now().nanoseconds
        stamp = Time.from_msg(message.header.stamp).nanoseconds
        self._arrivals.setdefault((index, stamp), {})[name] = (now - stamp) / 1e9

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        prefix = f"{self._namespace}/segmentation: "
        for status in message.status:
            if status.name.startswith(prefix):
                self._statuses[status.name.removeprefix(prefix)] = status

    def _memory_mb(self) -> float:
        pages = Path(f"/proc/{self._processes[0].pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _serve(namespace: str, parameters: Mapping[str, object], load: Load) -> None:
    """The node's process."""
    open_segmenter = functools.partial(open_clocked, inference_ms=load.inference_ms)
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    sys.exit(
        run_node(
            [],
            lambda: SegmentationNode(
                open_segmenter, namespace=namespace, parameter_overrides=overrides
            ),
        )
    )


def _pass_on(namespace: str, parameters: Mapping[str, Any], load: Load) -> None:
    """The process in the node's place: an image in, two of one byte per pixel out, nothing else."""
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    node = rclpy.create_node("bare", namespace=namespace)
    result = to_image(Header(), np.zeros(load.size, np.uint8), "mono8")

    def on_image(image: Image, publishers: Sequence[Publisher]) -> None:
        time.sleep(load.inference_ms / 1e3)
        result.header = image.header
        for publisher in publishers:
            publisher.publish(result)

    for topic in parameters["image_topics"]:
        outputs = [topic.replace("image_raw", f"segmentation/{name}") for name in OUTPUTS]
        publishers = [node.create_publisher(Image, output, 1) for output in outputs]
        callback = functools.partial(on_image, publishers=publishers)
        node.create_subscription(Image, topic, callback, qos_profile_sensor_data)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while True:
            executor.spin_once(timeout_sec=0.1)  # a signal is noticed between two calls
    except KeyboardInterrupt:
        node.destroy_node()
        rclpy.shutdown()


def _film(topics: Sequence[str], load: Load) -> None:
    """The process of the cameras, which take their frames one after the other, evenly."""
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    node = rclpy.create_node("cameras")
    publishers = [node.create_publisher(Image, topic, 1) for topic in topics]
    pixels = np.random.default_rng(0).integers(0, 256, (*load.size, 3), np.uint8)
    image = to_image(Header(frame_id="camera"), pixels, "bgr8")
    step = 1 / load.rate / len(topics)
    begin, count = time.monotonic(), 0
    try:
        while True:
            time.sleep(max(0.0, begin + count * step - time.monotonic()))
            image.header.stamp = node.get_clock().now().to_msg()
            publishers[count % len(topics)].publish(image)
            count += 1
    except KeyboardInterrupt:
        node.destroy_node()
        rclpy.shutdown()
