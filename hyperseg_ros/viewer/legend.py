"""Names and colours of the classes that a segmentation node tells apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from hyperseg_ros.classes import UNLABELLED, ClassTable, bit_color
from hyperseg_ros.node.compatibility import LabelInfo
from hyperseg_ros.runtime import ModelCard, find_model, read_card

REFRESH = 5.0
"""Seconds between two questions to the node: its palette may change at any time."""
ANSWER_TIME = 3.0
"""Seconds after which classes are numbers if nobody says otherwise."""
_LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

Color = tuple[int, int, int]


class Legend:
    """The classes of one camera's labels.

    They are those of the model card, in the colours of the node's `palette` parameters. Where the
    model file is not on this machine, the names are those of the topic `label_info`, or numbers.

    Args:
        node: what asks.
        label_info: the topic of that name.
        model: of which the classes are; empty asks the segmentation node.
        worker: reads model files.
        on_change: is called, in any thread, when the classes are known or are others.
    """

    def __init__(
        self,
        node: Node,
        label_info: str,
        model: str,
        worker: Executor,
        on_change: Callable[[], None],
    ) -> None:
        self._node = node
        self._on_change = on_change
        self._began = time.monotonic()
        self._model = model
        self._worker = worker
        self._table: ClassTable | None = None
        self._table_of = ""
        self._names: dict[int, str] = {}
        self._palette: dict[str, Color] = {}
        self._missing = ""
        self._asked: tuple[str, float] = "", float("-inf")
        self._clients: list[Any] = []
        self._subscription = None
        if LabelInfo is not None:
            self._subscription = node.create_subscription(
                LabelInfo, label_info, self._on_label_info, _LATCHED
            )

    def refresh(self, segmentation_node: str) -> None:
        """Asks a node, named in full, if that has not been done lately."""
        if self._model:
            self._read(self._model)
        name, at = self._asked
        now = time.monotonic()
        if not segmentation_node or (name == segmentation_node and now - at < REFRESH):
            return
        if name != segmentation_node:
            self._destroy_clients()
            self._clients = [
                self._node.create_client(kind, f"{segmentation_node}/{service}")
                for kind, service in (
                    (ListParameters, "list_parameters"),
                    (GetParameters, "get_parameters"),
                )
            ]
        self._asked = segmentation_node, float("-inf")
        lister, getter = self._clients
        if lister.service_is_ready() and getter.service_is_ready():
            self._asked = segmentation_node, now
            request = ListParameters.Request(prefixes=["palette"])
            self._when_done(lister.call_async(request), self._on_names)

    def stop(self) -> None:
        """Destroys its clients and subscription."""
        self._destroy_clients()
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)

    @property
    def classes(self) -> list[tuple[int, str, Color]] | None:
        """Id, name and RGB colour of each class that is known by name; None while it is asked."""
        known = self._table is not None or self._names or self._missing
        if not known and time.monotonic() - self._began < ANSWER_TIME:
            return None
        if self._table is not None:
            names = dict(enumerate(self._table.names))
            colors = dict(enumerate(self._table.colors))
        else:
            names = self._names
            colors = {index: bit_color(index + 1) for index in names}
        return [
            (index, name, self._palette.get(name, colors[index])) for index, name in names.items()
        ]

    @property
    def notes(self) -> list[str]:
        """Why names are not known."""
        return [self._missing] if self._missing and self._table is None else []

    def _on_names(self, response: Any) -> None:
        names = [name for name in response.result.names if name.startswith("palette.")]
        request = GetParameters.Request(names=["model", *names])
        self._when_done(
            self._clients[1].call_async(request),
            lambda answer: self._on_values(names, answer),
        )

    def _on_values(self, names: list[str], response: Any) -> None:
        if not response.values:
            return  # it publishes labels, but is not a segmentation node of this package
        messages = (ParameterMessage(value=value) for value in response.values)
        model, *colors = (Parameter.from_parameter_msg(message).value for message in messages)
        self._palette = {
            name.partition(".")[2]: (int(color[0]), int(color[1]), int(color[2]))
            for name, color in zip(names, colors)
            if color is not None and len(color) == 3
        }
        if not self._model and isinstance(model, str):
            self._read(model)

    def _on_label_info(self, message: Any) -> None:
        self._names = {
            entry.class_id: entry.class_name
            for entry in message.class_map
            if entry.class_id < UNLABELLED
        }

    def _read(self, model: str) -> None:
        """Reads the card of a model in the worker's thread, unless that was done."""
        if model != self._table_of:
            self._table_of = model
            self._worker.submit(self._read_card, model)

    def _read_card(self, model: str) -> None:
        try:
            card: ModelCard = read_card(find_model(model))
        except (ValueError, OSError) as error:
            self._table = None
            self._missing = (
                f"Names and colours of the classes are unknown here ({error}): copy the model file "
                "to this machine and set the viewer's parameter model."
            )
        else:
            self._table = card.classes
        self._on_change()

    def _when_done(self, future: Any, answer: Callable[[Any], None]) -> None:
        def done(finished: Any) -> None:
            if finished.result() is not None and self._clients:
                answer(finished.result())

        future.add_done_callback(done)

    def _destroy_clients(self) -> None:
        for client in self._clients:
            self._node.destroy_client(client)
        self._clients = []
