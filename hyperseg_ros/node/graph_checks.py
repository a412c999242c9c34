"""Checks of the ROS graph around the node, reported in the terminal and on /diagnostics."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from rclpy.node import Node

from hyperseg_ros.frames.messages import COMPRESSED_IMAGE, IMAGE
from hyperseg_ros.node.camera import Camera
from hyperseg_ros.node.compatibility import parameter_overrides

SILENCE = 5.0
"""Seconds without a first image after which the terminal says what the node waits for."""
_SHOWN = 8
"""Topics that a line lists at most."""


class GraphChecks:
    """Finds what is no fault of the node, but keeps it from being useful.

    Args:
        node: the segmentation node.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._started = time.monotonic()
        self._told: set[str] = set()
        self._waits = False

    def started(self) -> None:
        """The cameras are subscribed to now."""
        self._started = time.monotonic()
        self._waits = True

    def check(self, cameras: Sequence[Camera]) -> list[str]:
        """What is wrong now, a clause each; what is new is logged too.

        Args:
            cameras: that should be working.
        """
        if self._waits and time.monotonic() - self._started > SILENCE:
            self._waits = False
            silent = [
                camera for camera in cameras if not camera.statistics.summary().counts.received
            ]
            if silent:
                self._node.get_logger().warning(self._waiting_for(silent))
        found = [*self._namesakes(), *self._rivals(cameras), *self._clock(cameras)]
        found += _shared_frames(cameras)
        for clause in found:
            if clause not in self._told:
                self._node.get_logger().warning(clause)
        self._told = set(found)
        return found

    def _namesakes(self) -> Iterator[str]:
        us = (self._node.get_name(), self._node.get_namespace())
        count = self._node.get_node_names_and_namespaces().count(us) - 1
        if count > 0:
            yield (
                f"{count} other node(s) have the name of this one, "
                f"{self._node.get_fully_qualified_name()}: parameters and transitions will reach "
                "any of them; give each its own namespace"
            )

    def _rivals(self, cameras: Sequence[Camera]) -> Iterator[str]:
        """Other nodes that publish what this one does."""
        us = (self._node.get_name(), self._node.get_namespace())
        for camera in cameras:
            topic = camera.topics.output("label")
            infos = self._node.get_publishers_info_by_topic(topic)
            others = {
                f"{info.node_namespace.rstrip('/')}/{info.node_name}"
                for info in infos
                if (info.node_name, info.node_namespace) != us
            }
            if others:
                yield (
                    f"{', '.join(sorted(others))} publishes {topic} too: two nodes segment this "
                    "camera; stop one of them"
                )

    def _clock(self, cameras: Sequence[Camera]) -> Iterator[str]:
        if (
            cameras
            and time.monotonic() - self._started > SILENCE
            and self._node.get_parameter("use_sim_time").value
            and self._node.get_clock().now().nanoseconds == 0
        ):
            yield (
                "use_sim_time is true, but there is no time on /clock: start the simulation, "
                "`ros2 bag play --clock`, or set use_sim_time to false"
            )

    # Silence

    def _waiting_for(self, cameras: Sequence[Camera]) -> str:
        waits = "; ".join(
            f"no image yet on {camera.topics.image}: {' and '.join(camera.input_troubles())}"
            for camera in cameras
        )
        return f"{waits}. {self._images()} {_parameters(self._node)}"

    def _images(self) -> str:
        """Who publishes images on this graph."""
        outputs = "/segmentation/"
        topics = [
            f"{name} ({', '.join(types)})"
            for name, types in self._node.get_topic_names_and_types()
            if {IMAGE, COMPRESSED_IMAGE} & set(types)
            and outputs not in name
            and self._node.count_publishers(name)
        ]
        if not topics:
            return "Nobody publishes images in this ROS domain."
        more = f" and {len(topics) - _SHOWN} more" if len(topics) > _SHOWN else ""
        return f"Images on this graph: {', '.join(topics[:_SHOWN])}{more}."


def _shared_frames(cameras: Sequence[Camera]) -> list[str]:
    """Cameras that TF cannot tell apart, where metres are asked of one."""
    frames: dict[str, list[str]] = {}
    for camera in cameras:
        if camera.frame_id:
            frames.setdefault(camera.frame_id, []).append(camera.topics.image)
    if not any(camera.wants_metric for camera in cameras):
        return []
    return [
        f"images of {' and '.join(topics)} have one frame_id, {frame}: metres of at most one of "
        "them are right; give each camera's driver a frame_id of its own"
        for frame, topics in frames.items()
        if len(topics) > 1
    ]


def _parameters(node: Node, arguments: Sequence[str] | None = None) -> str:
    """Which parameters the node was given, and from where, two sentences or so.

    Args:
        node: that has them.
        arguments: of the process; its own by default.
    """
    arguments = sys.argv if arguments is None else arguments
    given = sorted(name for name in parameter_overrides(node) if name != "use_sim_time")
    name = node.get_fully_qualified_name()
    sentences = [
        f"Parameters given to {name}: {', '.join(given)}"
        if given
        else f"No parameter was given to {name}: all have their defaults"
    ]
    for option, value in itertools.pairwise(arguments):
        if option == "--params-file":
            sentences.append(f"{value} has parameters for {', '.join(_sections(value)) or 'none'}")
        elif option in ("-r", "--remap") and not value.startswith(("__", "~")):
            sentences.append(f"remapped: {value}")
    return f"{'; '.join(sentences)}."


def _sections(path: str) -> list[str]:
    """The nodes that a parameter file is for, as it names them."""

    def walk(prefix: str, tree: Any) -> Iterator[str]:
        if isinstance(tree, dict):
            for key, value in tree.items():
                if key == "ros__parameters":
                    yield prefix
                else:
                    yield from walk(f"{prefix.rstrip('/')}/{str(key).lstrip('/')}", value)

    try:
        return list(walk("", yaml.safe_load(Path(path).read_text())))
    except (OSError, ValueError, yaml.YAMLError):
        return []
