"""`hyperseg benchmark --node`: what the node adds to the network's time, and how it bears overload.

Cameras, node and consumer are processes that talk over DDS, as on a robot. The network is a clock:
it takes a given time and no processor, so that the figures are the node's own.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import rclpy
from ament_index_python.packages import get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.msg import ClassMasks
from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.node.main import main as run_node
from hyperseg_ros.node.memory import keep_freed_memory
from hyperseg_ros.node.segmentation_node import SegmentationNode
from hyperseg_ros.node.statistics import WINDOW
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL
from hyperseg_ros.runtime.options import positive

START_TIMEOUT = 60.0
"""Seconds until all processes must have found each other."""

MEMORY_GROWTH = 1.05
"""What resident memory may grow by in a soak."""
AGE_BOUND = 2.0
"""How many times inference x (cameras + 1) the 95th percentile of ages may be in a soak."""

BASE = {"label": Image, "confidence": Image}
FURTHER = {
    "color": Image,
    "overlay": Image,
    "mask/road": Image,
    "masks": ClassMasks,
    "label/compressed": CompressedImage,
    "mask/road/compressed": CompressedImage,
}


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


class ClockedNetwork:
    """A backend that takes a certain time, and no processor, and answers with smooth blobs."""

    name = "clock"
    device = "a clock"
    precision = "none"

    def __init__(self, shape: tuple[int, int], classes: int, seconds: float) -> None:
        fields = np.random.default_rng(0).normal(size=(18, 24, classes)).astype(np.float32)
        scores = cv2.resize(fields, shape[::-1], interpolation=cv2.INTER_CUBIC)
        self._labels = scores.argmax(axis=-1).astype(np.uint8)
        self._confidence = np.clip(scores.max(axis=-1) * 120, 0, 255).astype(np.uint8)
        self._seconds = seconds

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The same answer for every image."""
        end = time.perf_counter() + self._seconds
        count = len(images)
        labels, confidence = (
            np.repeat(part[None], count, axis=0) for part in (self._labels, self._confidence)
        )
        time.sleep(max(0.0, end - time.perf_counter()))
        return labels, confidence

    def close(self) -> None:
        """There is nothing to free."""


class ClockedSegmenter(Segmenter):
    """A segmenter whose network is a clock."""

    inference_ms = 0.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for size, backend in self._backends.items():
            backend.close()
            self._backends[size] = ClockedNetwork(
                self.card.input_size, len(self.card.classes), self.inference_ms / 1e3
            )


class Rig:
    """A node under load, and a consumer in this process. Use as a context manager.

    Args:
        load: what the node has to bear.
        parameters: further ones of the node.
    """

    def __init__(self, load: Load, parameters: Mapping[str, object] | None = None) -> None:
        self._load = load
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
        profiles = Path(get_package_share_directory("hyperseg_ros"), "config", "fastdds.xml")
        # The name before Kilted, which every distribution still knows; given both, Fast DDS errs.
        if "FASTDDS_DEFAULT_PROFILES_FILE" not in os.environ:
            os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(profiles))
        processes = get_context("spawn")
        self._processes = [
            processes.Process(
                target=_serve,
                args=(self._namespace, self._parameters, self._load.inference_ms),
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
        for process in self._processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        for process in self._processes:
            process.join(10)
            if process.is_alive():
                process.kill()

    def measure(self, outputs: Mapping[str, type], seconds: float) -> Outcome:
        """Subscribes to outputs of every camera, lets things settle, and measures.

        Args:
            outputs: name and message type of each; label and confidence are among them.
            seconds: how long to measure.

        Raises:
            RuntimeError: the node or the cameras have ended, or no labels come.
        """
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
        self._await_labels()
        self._spin(WINDOW)  # so that no older frame is in the node's statistics
        before = self._memory_mb()
        self._arrivals.clear()
        self._spin(seconds)
        whole = [
            (index, max(found["label"], found["confidence"]) * 1e3)
            for (index, _), found in self._arrivals.items()
            if {"label", "confidence"} <= set(found)
        ]
        values = [
            {entry.key: entry.value for entry in self._statuses[topic].values}
            for topic in self._topics
        ]
        for subscription in subscriptions:
            self._node.destroy_subscription(subscription)
        return Outcome(
            frames=tuple(sum(i == camera for i, _ in whole) for camera in range(len(values))),
            arrival_ms=np.array([age for _, age in whole]),
            published_ms=(
                max(float(value["stamp to output p50 (ms)"]) for value in values),
                max(float(value["stamp to output p95 (ms)"]) for value in values),
            ),
            bad=sum(int(value["frames bad"]) for value in values),
            memory_mb=(before, self._memory_mb()),
        )

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


def _serve(namespace: str, parameters: Mapping[str, object], inference_ms: float) -> None:
    """The node's process."""
    ClockedSegmenter.inference_ms = inference_ms
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    sys.exit(
        run_node(
            [],
            lambda: SegmentationNode(
                ClockedSegmenter, namespace=namespace, parameter_overrides=overrides
            ),
        )
    )


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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 where a soak shows that the node does not bear its load."""
    options = _parse(argv)
    if options.soak:
        return _soak(options)
    _measure_latency(options)
    _measure_overload(options)
    return 0


def _measure_latency(options: argparse.Namespace) -> None:
    inference = 30.0
    load = Load(1, 10.0, (720, 1280), inference, options.model)
    print("One camera, 1280 x 720 at 10 Hz. Added to the network's time, ms:", flush=True)
    print(f"{'':24} {'at the consumer':>18} {'published':>18}")
    print(f"{'outputs':24} {'median     p95':>18} {'median     p95':>18}")
    with Rig(load) as rig:
        base = 0.0
        for name in ("", *FURTHER):
            outputs = {**BASE, **({name: FURTHER[name]} if name else {})}
            outcome = rig.measure(outputs, options.seconds)
            arrival = np.percentile(outcome.arrival_ms, (50, 95)) - inference
            published = np.array(outcome.published_ms) - inference
            base = base or published[0]
            added = f"   {published[0] - base:+.1f}" if name else ""
            print(
                f"{f'+ {name}' if name else 'label, confidence':24} "
                f"{arrival[0]:10.1f}{arrival[1]:8.1f} {published[0]:10.1f}{published[1]:8.1f}"
                f"{added}",
                flush=True,
            )


def _measure_overload(options: argparse.Namespace) -> None:
    load = Load(4, 30.0, (480, 640), 100.0, options.model)
    print("\nFour cameras, 640 x 480 at 30 Hz; a network of 10 frames/s:", flush=True)
    with Rig(load) as rig:
        _report_overload(load, rig.measure(BASE, 2 * options.seconds))


def _soak(options: argparse.Namespace) -> int:
    load = Load(4, 30.0, (480, 640), 50.0, options.model)
    print(f"Four cameras, 640 x 480 at 30 Hz; a network of 20 frames/s; {options.soak} minutes:")
    outcomes = []
    with Rig(load) as rig:
        for minute in range(options.soak):
            print(f"minute {minute + 1}", flush=True)
            outcomes.append(rig.measure({**BASE, **FURTHER}, 60.0 - WINDOW))
            _report_overload(load, outcomes[-1])
    objections = list(_objections(load, outcomes))
    for objection in objections:
        print(f"FAILED: {objection}")
    return 1 if objections else 0


def _objections(load: Load, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What shows that the node does not bear its load for ever."""
    # Where there is more than one minute, the first may fill caches.
    first = outcomes[0].memory_mb[len(outcomes) > 1]
    last = outcomes[-1].memory_mb[1]
    if last > MEMORY_GROWTH * first:
        yield f"memory grew from {first:.1f} to {last:.1f} MB"
    bound = AGE_BOUND * load.inference_ms * (load.cameras + 1)
    for outcome in outcomes:
        p95 = np.percentile(outcome.arrival_ms, 95)
        if p95 > bound:
            yield f"labels are {p95:.0f} ms old, more than {bound:.0f} ms"
    if outcomes[-1].bad:
        yield f"{outcomes[-1].bad} frames failed"


def _report_overload(load: Load, outcome: Outcome) -> None:
    share = np.array(outcome.frames) / np.mean(outcome.frames) - 1
    p95 = np.percentile(outcome.arrival_ms, 95)
    bound = load.inference_ms * (load.cameras + 1)
    print(f"  frames a camera      {', '.join(map(str, outcome.frames))}")
    print(f"  off the fair share   {np.abs(share).max():.1%} at most")
    print(f"  age at the consumer  p95 {p95:.0f} ms; inference x (cameras + 1) is {bound:.0f} ms")
    print(f"  memory of the node   {outcome.memory_mb[0]:.1f} -> {outcome.memory_mb[1]:.1f} MB")
    print(f"  frames that failed   {outcome.bad}", flush=True)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg benchmark --node",
        description="Measure what the node adds to the network's time, over DDS between processes, "
        "and how it bears more cameras than the network has time for. The network itself is "
        "replaced by a clock. Needs ROS 2.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        default=DEFAULT_MODEL,
        help=f"whose classes and input size to use; default: {DEFAULT_MODEL}",
    )
    parser.add_argument("--node", action="store_true", help="measure the node")
    parser.add_argument(
        "--seconds", type=positive, default=10, metavar="S", help="of each measurement; default: 10"
    )
    parser.add_argument(
        "--soak", type=positive, metavar="MINUTES", help="bear overload for so long instead"
    )
    return parser.parse_args(argv)
