"""A live ROS graph: nodes spin in threads, the test publishes and subscribes."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
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
RESEND = 3.0
RELIABLE = QoSProfile(depth=10)


TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
    "shutdown": Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
}


class Graph:
    """What a test has in the ROS graph: a namespace, a node to talk with, and nodes under test."""

    def __init__(self, node: Node, model: Path) -> None:
        self.node = node
        self.model = model
        self.namespace = node.get_namespace()
        self._segmenter = Segmenter.open(model)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._clients: dict[str, Any] = {}
        self._stamps = itertools.count(1)

    @contextmanager
    def segmentation(
        self, load: Callable[..., Segmenter] = Segmenter.open, **parameters: Any
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

    def expected(self, image: np.ndarray) -> np.ndarray:
        """The labels that the model gives to BGR pixels."""
        return self._segmenter(image).labels

    def answer(self, publisher: Any, message: Any, received: list[Any]) -> Any:
        """What `received` gets for `message`, told by its header.

        A message that comes before the node has seen who listens is not segmented: it is sent
        again after a while.
        """
        sent = -math.inf

        def answered() -> Any:
            nonlocal sent
            if time.monotonic() - sent > RESEND:
                publisher.publish(message)
                sent = time.monotonic()
            return next((m for m in received if m.header == message.header), None)

        return self.wait(answered, f"the answer to {message.header.frame_id}")

    def arrival(self, received: list[Any], header: Header) -> Any:
        """The message with this header, once it is there."""
        return self.wait(
            lambda: next((m for m in received if m.header == header), None),
            f"the answer to {header.frame_id}",
        )

    def service(self, kind: type, name: str, request: Any) -> Any:
        """The response of a service."""
        if name not in self._clients:
            full_name = f"{self.namespace}/segmentation/{name}"
            self._clients[name] = self.node.create_client(kind, full_name)
        client = self._clients[name]
        self.wait(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        return self.wait(future.done, f"response of {name}") and future.result()

    def change_state(self, name: str) -> bool:
        """Whether the node under test has made a transition of its life cycle."""
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[name]))
        return self.service(ChangeState, "change_state", request).success

    def state(self) -> int:
        """The state of its life cycle, of `lifecycle_msgs/State`."""
        return self.service(GetState, "get_state", GetState.Request()).current_state.id

    def set_parameters(self, **values: Any) -> list[str]:
        """Sets parameters one by one; for each the reason why not, or an empty string.

        In names, `__` stands for a dot.
        """
        parameters = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg()
            for name, value in values.items()
        ]
        request = SetParameters.Request(parameters=parameters)
        results = self.service(SetParameters, "set_parameters", request).results
        return [result.reason for result in results]

    def diagnose(self, name: str) -> tuple[DiagnosticStatus, dict[str, str]]:
        """The next word of /diagnostics about a part of the node under test, and its values."""
        told: list[DiagnosticArray] = []
        subscription = self.node.create_subscription(
            DiagnosticArray, "/diagnostics", told.append, 10
        )
        full_name = f"{self.namespace}/segmentation: {name}"

        def found() -> DiagnosticStatus | None:
            return next((s for array in told for s in array.status if s.name == full_name), None)

        status = self.wait(found, f"diagnostics of {full_name}")
        self.node.destroy_subscription(subscription)
        return status, {value.key: value.value for value in status.values}

    def wait_for_bad(self, count: int) -> None:
        """Waits until so many frames of the camera were bad."""

        def counted() -> bool:
            return self.diagnose(self.topic("image_raw"))[1]["frames bad"] == str(count)

        self.wait(counted, f"{count} bad frames")


def image_message(header: Header, seed: int = 0, size: tuple[int, int] = (48, 64)) -> Image:
    """A bgr8 image of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return to_image(header, pixels, "bgr8")


def pixels_of(message: Image | CompressedImage) -> np.ndarray:
    """The pixels of a mono8 or rgb8 image without padding, uint8 [H, W] or [H, W, 3]."""
    channels = {"mono8": (), "rgb8": (3,), "bgr8": (3,)}[message.encoding]
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, *channels)


@contextmanager
def driving(publisher: Any, make: Callable[[], Any], period: float = 0.05) -> Iterator[list[Any]]:
    """What a camera has published so far, that publishes a message every `period` seconds."""
    published: list[Any] = []
    stopping = threading.Event()

    def drive() -> None:
        while not stopping.wait(period):
            message = make()
            published.append(message)
            publisher.publish(message)

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        yield published
    finally:
        stopping.set()
        thread.join()
