"""A live ROS graph: nodes under test in their processes, and a node of the test to talk with."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from node_process import PATIENCE, SEGMENTATION, NodeProcess
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.node.declared_parameters import changed, find_rule, rules
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.runtime import Segmenter

ASK_AGAIN = 1.0
"""Seconds until a service that has not answered is asked again."""
RELIABLE = QoSProfile(depth=100)
"""Deep enough that a test which gets no time for a while loses nothing."""
OBEDIENT = (str(Path(__file__).with_name("obedient_network.py")),)
"""The program of a node that `Graph.order` gives orders to."""


TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
    "shutdown": Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
}


class Graph:
    """What a test has in the ROS graph: a namespace, a node to talk with, and nodes under test.

    Args:
        node: of the test.
        model: of the nodes under test, where they are given no other.
        folder: for what those write.
    """

    def __init__(self, node: Node, model: Path, folder: Path) -> None:
        self.node = node
        self.model = model
        self.namespace = node.get_namespace()
        self._folder = folder
        self._processes: list[NodeProcess] = []
        self._segmenter = Segmenter.open(model)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._clients: dict[str, Any] = {}
        self._stamps = itertools.count(1)
        self._told: list[DiagnosticStatus] = []
        self._under_test = "segmentation"
        node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda array: self._told.extend(array.status), 10
        )

    def start(
        self,
        program: Sequence[str] = SEGMENTATION,
        arguments: Sequence[str] = (),
        **parameters: Any,
    ) -> NodeProcess:
        """Starts a segmentation node in the graph's namespace; it ends with the test at the latest.

        Args:
            program: what Python runs.
            arguments: further ones of ROS.
            parameters: of the node.
        """
        values = {"model": str(self.model), "input_reliability": "reliable", **parameters}
        return self.run("segmentation", program, values, arguments)

    def run(
        self,
        name: str,
        program: Sequence[str],
        parameters: dict[str, Any],
        arguments: Sequence[str] = (),
    ) -> NodeProcess:
        """Starts any node of ours; services that are called from now on are its own.

        Args:
            name: of the node.
            program: what Python runs.
            parameters: of the node.
            arguments: further ones of ROS.
        """
        folder = self._folder / f"node_{len(self._processes)}"
        process = NodeProcess(folder, self.namespace, parameters, program, arguments)
        self._processes.append(process)
        self._under_test = name
        return process

    @contextmanager
    def segmentation(self, *arguments: Any, **parameters: Any) -> Iterator[NodeProcess]:
        """A segmentation node that is there for a while; arguments as those of `start`."""
        process = self.start(*arguments, **parameters)
        yield process
        assert process.stop() == 0, process.said()

    def close(self) -> None:
        """Ends everything; what nodes under test have said is printed for whom a test fails."""
        running = [process for process in self._processes if process.running]
        codes = [process.stop() for process in running]
        for process in self._processes:
            print(process.said())
        self._executor.shutdown()
        self.node.destroy_node()
        assert not any(codes), f"nodes ended with {codes}"

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

    def listen(
        self, topic: str, kind: type = Image, qos: QoSProfile = RELIABLE, raw: bool = False
    ) -> list[Any]:
        """The list that messages of `topic` are appended to, once its publisher knows of it.

        With `raw` they are the bytes that came.
        """
        messages: list[Any] = []
        self.node.create_subscription(kind, topic, messages.append, qos, raw=raw)
        self.wait(lambda: self.node.count_publishers(topic), f"a publisher of {topic}")
        self._meet_those_that_run()
        return messages

    def talk(self, topic: str, kind: type = Image, qos: QoSProfile = RELIABLE) -> Any:
        """A publisher, once it has a subscriber that knows of it."""
        publisher = self.node.create_publisher(kind, topic, qos)
        self.wait(publisher.get_subscription_count, f"a subscriber of {topic}")
        self._meet_those_that_run()
        return publisher

    def meet(self) -> None:
        """Waits until the node knows all publishers, subscriptions and clients that the test has.

        Nothing tells whether the other process has discovered them. But it does so in their order,
        and it can answer a client only once it knows that too. Until then answers are lost.
        """
        full_name = f"{self.namespace}/{self._under_test}/get_parameters"
        client = self.node.create_client(GetParameters, full_name)
        self.wait(client.service_is_ready, f"service {full_name}")
        asked, futures = -math.inf, []

        def answered() -> bool:
            nonlocal asked
            if time.monotonic() - asked > ASK_AGAIN:
                futures.append(client.call_async(GetParameters.Request()))
                asked = time.monotonic()
            return any(future.done() for future in futures)

        self.wait(answered, f"an answer of {full_name}")
        self.node.destroy_client(client)

    def _meet_those_that_run(self) -> None:
        if any(process.running for process in self._processes):
            self.meet()

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
        """Publishes `message`, once, and returns what `received` gets for it.

        The publisher is from `talk` and `received` from `listen`, so that nothing is lost.
        """
        publisher.publish(message)
        return self.arrival(received, message.header)

    def arrival(self, received: list[Any], header: Header) -> Any:
        """The message with this header, once it is there."""
        return self.wait(
            lambda: next((m for m in received if m.header == header), None),
            f"the answer to {header.frame_id}",
        )

    def service(self, kind: type, name: str, request: Any) -> Any:
        """The response of a service."""
        if name not in self._clients:
            full_name = f"{self.namespace}/{self._under_test}/{name}"
            self._clients[name] = self.node.create_client(kind, full_name)
            self.wait(self._clients[name].service_is_ready, f"service {name}")
            self.meet()
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
        return self.set(
            *(Parameter(name.replace("__", "."), value=value) for name, value in values.items())
        )

    def set(self, *parameters: Parameter) -> list[str]:
        """As `set_parameters`, of parameters whose type is told."""
        request = SetParameters.Request(parameters=[p.to_parameter_msg() for p in parameters])
        results = self.service(SetParameters, "set_parameters", request).results
        return [result.reason for result in results]

    def set_together(self, *parameters: Parameter) -> str:
        """Sets all of the parameters or none; the reason why not, or an empty string."""
        request = SetParametersAtomically.Request(
            parameters=[p.to_parameter_msg() for p in parameters]
        )
        answer = self.service(SetParametersAtomically, "set_parameters_atomically", request)
        reason: str = answer.result.reason
        return reason

    def get_parameter(self, name: str) -> Any:
        """The value of a parameter of the node under test; a list is an array."""
        return self.get_parameters([name])[name]

    def get_parameters(self, names: Sequence[str]) -> dict[str, Any]:
        """The values of parameters of the node under test."""
        request = GetParameters.Request(names=names)
        values = self.service(GetParameters, "get_parameters", request).values
        return dict(zip(names, map(parameter_value_to_python, values), strict=True))

    def list_parameters(self, *prefixes: str) -> list[str]:
        """The names of all parameters of the node under test, or of those below the prefixes."""
        request = ListParameters.Request(prefixes=prefixes)
        names: list[str] = self.service(ListParameters, "list_parameters", request).result.names
        return names

    def describe_parameter(self, name: str) -> ParameterDescriptor:
        """What a parameter of the node under test is for, and may be."""
        request = DescribeParameters.Request(names=[name])
        (found,) = self.service(DescribeParameters, "describe_parameters", request).descriptors
        return found

    def parameters(self) -> Parameters:
        """The parameters of the segmentation node under test."""
        known = rules(Parameters)
        names = [name for name in self.list_parameters() if find_rule(known, name) is not None]
        return changed(Parameters(), self.get_parameters(names))

    def diagnose(self, name: str) -> tuple[DiagnosticStatus, dict[str, str]]:
        """The next word of /diagnostics about a part of the node under test, and its values."""
        self._told.clear()
        full_name = f"{self.namespace}/{self._under_test}: {name}"

        def found() -> DiagnosticStatus | None:
            return next((status for status in self._told if status.name == full_name), None)

        status = self.wait(found, f"diagnostics of {full_name}")
        return status, {value.key: value.value for value in status.values}

    def wait_for_count(self, what: str, count: int, topic: str | None = None) -> dict[str, str]:
        """Waits until so many frames of a camera were `what`; all values of its diagnostics."""
        values: dict[str, str] = {}

        def counted() -> bool:
            values.update(self.diagnose(topic or self.topic("image_raw"))[1])
            return int(values[f"frames {what}"]) >= count

        self.wait(counted, f"{count} frames that are {what}")
        return values

    def settled_counts(self, topic: str | None = None) -> dict[str, int]:
        """What became of a camera's frames, once none is on its way."""
        counts: dict[str, int] = {}

        def settled() -> bool:
            values = self.diagnose(topic or self.topic("image_raw"))[1]
            before = dict(counts)
            counts.update(
                (name.removeprefix("frames "), int(value))
                for name, value in values.items()
                if name.startswith("frames ")
            )
            gone = sum(counts[name] for name in ("segmented", "dropped", "bad", "unwatched"))
            return counts == before and counts["received"] == gone + counts["skipped"]

        self.wait(settled, "the frames on their way")
        return counts

    def wait_for_failure(self) -> str:
        """Waits until /diagnostics says ERROR of the model, and returns why."""

        def reason() -> str:
            status, _ = self.diagnose("model")
            return status.message if status.level == DiagnosticStatus.ERROR else ""

        failure: str = self.wait(reason, "the failure")
        return failure

    def wait_for_bad(self, count: int) -> None:
        """Waits until so many frames of the camera were bad."""
        self.wait_for_count("bad", count)

    def wait_for_pulses(self, count: int) -> None:
        """Waits until the segmentation node has looked at everything so many times more."""
        for _ in range(count):
            self.diagnose("model")

    def wait_for_no_subscriber(self, publisher: Any) -> None:
        """Waits until nobody subscribes any more, so that a subscriber to come is a new one."""
        self.wait(
            lambda: not publisher.get_subscription_count(),
            f"the end of the subscription of {publisher.topic_name}",
        )

    def order(self, process: NodeProcess, order: str) -> None:
        """Tells a node with the program `obedient_network` what its network does from now on."""
        before = process.said().count(f"order: {order}")
        process.tell(order)
        self.wait(lambda: process.said().count(f"order: {order}") > before, f"the order {order}")


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
