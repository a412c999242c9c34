"""A live ROS graph: nodes spin in threads, the test publishes and subscribes."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.node.segmentation_node import SegmentationNode
from hyperseg_ros.runtime import Segmenter

PATIENCE = 30.0
RELIABLE = QoSProfile(depth=10)


class Graph:
    """What a test has in the ROS graph: a namespace, a node to talk with, and nodes under test."""

    def __init__(self, node: Node, model: Path) -> None:
        self.node = node
        self.model = model
        self.namespace = node.get_namespace()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._stamps = itertools.count(1)

    @contextmanager
    def segmentation(
        self, load: Callable[..., Segmenter] = Segmenter, **parameters: Any
    ) -> Iterator[SegmentationNode]:
        """A segmentation node in the graph's namespace, spinning in a thread of its own.

        Args:
            load: loads its model.
            parameters: of the node.
        """
        values = {"model": str(self.model), "input_reliability": "reliable", **parameters}
        node = SegmentationNode(
            load,
            namespace=self.namespace,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        stopping = threading.Event()

        def spin() -> None:
            # An executor that another thread shuts down may take guards from itself.
            while not stopping.is_set():
                executor.spin_once(timeout_sec=0.1)

        thread = threading.Thread(target=spin)
        thread.start()
        try:
            yield node
        finally:
            stopping.set()
            thread.join()
            executor.shutdown()
            node.destroy_node()

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Spins until `condition` holds, and returns its value."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            self._executor.spin_once(timeout_sec=0.02)
        raise AssertionError(f"waited {PATIENCE:g} s in vain for {what}")

    def settle(self, seconds: float) -> None:
        """Spins for a while, to see that nothing comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.02)

    def topic(self, name: str) -> str:
        """A topic of the camera `camera`."""
        return f"{self.namespace}/camera/{name}"

    def listen(self, topic: str, kind: type = Image, qos: QoSProfile = RELIABLE) -> list[Any]:
        """The list that messages of `topic` are appended to, once its publisher is there."""
        messages: list[Any] = []
        self.node.create_subscription(kind, topic, messages.append, qos)
        self.wait(lambda: self.node.count_publishers(topic), f"a publisher of {topic}")
        return messages

    def talk(self, topic: str, kind: type = Image, qos: QoSProfile = RELIABLE) -> Any:
        """A publisher, once it has a subscriber."""
        publisher = self.node.create_publisher(kind, topic, qos)
        self.wait(publisher.get_subscription_count, f"a subscriber of {topic}")
        return publisher

    def header(self) -> Header:
        """A header that no other frame has."""
        number = next(self._stamps)
        header = Header(frame_id=f"frame {number}")
        header.stamp.sec, header.stamp.nanosec = number, 1000 + number
        return header

    def answer(self, publisher: Any, message: Any, received: list[Any]) -> Any:
        """What `received` gets for `message`, told by its header."""
        publisher.publish(message)
        return self.wait(
            lambda: next((m for m in received if m.header == message.header), None),
            f"the answer to {message.header.frame_id}",
        )

    def service(self, kind: type, name: str, request: Any) -> Any:
        """The response of a service."""
        client = self.node.create_client(kind, f"{self.namespace}/segmentation/{name}")
        self.wait(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        return self.wait(future.done, f"response of {name}") and future.result()


def image_message(header: Header, seed: int = 0, size: tuple[int, int] = (48, 64)) -> Image:
    """A bgr8 image of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return to_image(header, pixels, "bgr8")


def pixels_of(message: Image | CompressedImage) -> np.ndarray:
    """The pixels of a mono8 or rgb8 image without padding, uint8 [H, W] or [H, W, 3]."""
    channels = {"mono8": (), "rgb8": (3,), "bgr8": (3,)}[message.encoding]
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, *channels)
