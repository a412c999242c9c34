"""The ROS side of the viewer: in the graph, but subscribed to nothing until a page is open."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.subscription import Subscription
from sensor_msgs.msg import LaserScan

from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.node.declared_parameters import ParameterError
from hyperseg_ros.node.diagnostics import MODEL, status_name
from hyperseg_ros.node.parameter_node import ParameterNode
from hyperseg_ros.viewer.discovery import find_cameras
from hyperseg_ros.viewer.feed import Feed, FeedReport
from hyperseg_ros.viewer.legend import Legend
from hyperseg_ros.viewer.parameters import Parameters, check_address
from hyperseg_ros.viewer.picture import Picture

FORGET_DIAGNOSTICS = 3.0
"""Seconds after which what a node said about itself is dropped."""
FORGET_TROUBLE = 2.5
"""Seconds for which the page tells of a bad picture."""


@dataclass
class _Watched:
    feed: Feed
    legend: Legend


class ViewerNode(ParameterNode[Parameters]):
    """Subscribes for the pages that are open.

    All methods but `latest` and `latest_scan` are for the executor's thread.

    Args:
        on_picture: is called, in that thread, when a camera has a new picture.
        on_change: is called, in any thread, when it is time for another `look`.
        worker: for what takes long.
        options: as rclpy's nodes take them.

    Raises:
        ParameterError: a given parameter is unknown or cannot have the given value.
    """

    def __init__(
        self,
        on_picture: Callable[[], None],
        on_change: Callable[[], None],
        worker: Executor,
        **options: Any,
    ) -> None:
        super().__init__(Parameters, "viewer", **options)
        self._given = given = self.parameters
        try:
            check_address(given.host, given.port)
            topics = [self._resolve(name) for name in given.image_topics if name]
        except ParameterError:
            self.destroy_node()
            raise
        self._on_picture = on_picture
        self._on_change = on_change
        self._worker = worker
        self._watchers: Counter[str] = Counter()
        self._scan_watchers: Counter[str] = Counter()
        self._watched: dict[str, _Watched] = {}
        self._discovers = not topics
        self._cameras: dict[str, str] = dict.fromkeys(topics, "")
        self._diagnostics: Subscription | None = None
        self._statuses: dict[str, tuple[float, DiagnosticStatus]] = {}
        self._troubles: dict[str, tuple[float, str]] = {}
        self._said: set[str] = set()

    def open(self) -> None:
        """The first page is there."""
        if self._diagnostics is None:
            self._diagnostics = self.create_subscription(
                DiagnosticArray, "/diagnostics", self._on_diagnostics, 10
            )

    def close(self) -> None:
        """The last page is gone."""
        if self._diagnostics is not None:
            self.destroy_subscription(self._diagnostics)
            self._diagnostics = None
        self._statuses.clear()
        self._said.clear()

    def watch(self, camera: str) -> None:
        """One page more shows a camera, named by its image topic."""
        self._watchers[camera] += 1
        if camera not in self._watched:
            topics = CameraTopics(camera)
            legend = Legend(
                self,
                topics.output("label_info"),
                self._given.model,
                self._worker,
                self._on_change,
            )
            legend.refresh(self._cameras.get(camera, ""))
            self._watched[camera] = _Watched(Feed(self, topics, self._on_picture), legend)

    def unwatch(self, camera: str) -> None:
        """One page less shows a camera."""
        self._watchers[camera] -= 1
        if self._watchers[camera] <= 0:
            del self._watchers[camera]
            watched = self._watched.pop(camera)
            watched.feed.stop()
            watched.legend.stop()
            self._troubles.pop(camera, None)

    def watch_scan(self, camera: str) -> None:
        """One page more shows the free space of a camera that it watches."""
        self._scan_watchers[camera] += 1

    def unwatch_scan(self, camera: str) -> None:
        """One page less shows it."""
        self._scan_watchers[camera] -= 1

    def latest_scan(self, camera: str) -> LaserScan | None:
        """The newest free space of a camera that is watched."""
        watched = self._watched.get(camera)
        return watched.feed.latest_scan if watched else None

    def latest(self, camera: str) -> Picture | None:
        """The newest picture of a camera that is watched."""
        watched = self._watched.get(camera)
        return watched.feed.latest if watched else None

    def cannot_show(self, camera: str, reason: str) -> None:
        """Notes that a camera's messages cannot be shown, and why."""
        self._troubles[camera] = time.monotonic(), f"Cannot show {camera}: {reason}"

    def look(self) -> dict[str, Any]:
        """Follows changes of the graph, and returns the state of all cameras as pages take it."""
        found = find_cameras(self)
        for camera in found if self._discovers else ():
            self._cameras.setdefault(camera, "")
        for camera in self._cameras:
            self._cameras[camera] = found.get(camera, "")
        for camera, watched in self._watched.items():
            watched.feed.wants_scan = self._scan_watchers[camera] > 0
            watched.feed.follow_publishers()
            watched.legend.refresh(self._cameras[camera])
        return {camera: self._describe(camera) for camera in self._cameras}

    def _resolve(self, topic: str) -> str:
        try:
            return self.resolve_topic_name(topic)
        except Exception as error:  # rclpy has several for this, not all of them public
            raise ParameterError(f"image_topics: {topic!r} is not a topic name: {error}") from None

    def _describe(self, camera: str) -> dict[str, Any]:
        watched = self._watched.get(camera)
        if watched is None:
            return {"watched": False}
        report: FeedReport = watched.feed.report()
        at, trouble = self._troubles.get(camera, (float("-inf"), ""))
        lately = [trouble] if time.monotonic() - at < FORGET_TROUBLE else []
        notes = [*lately, *report.notes, *watched.legend.notes]
        self._say(notes)
        return {
            "watched": True,
            "rate": report.rate,
            "latency_ms": report.latency_ms,
            "notes": notes,
            "classes": watched.legend.classes,
            "diagnostics": self._diagnose(camera),
        }

    def _say(self, notes: list[str]) -> None:
        """Logs what has not been logged since the first page was opened."""
        for note in notes:
            if note not in self._said:
                self.get_logger().warning(note)
        self._said.update(notes)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in message.status:
            self._statuses[status.name] = now, status
        for name, (at, _) in list(self._statuses.items()):
            if now - at > FORGET_DIAGNOSTICS:
                del self._statuses[name]

    def _diagnose(self, camera: str) -> list[dict[str, Any]]:
        """What the camera's node says about itself, and about the camera, in the last seconds."""
        node = self._cameras[camera]
        now = time.monotonic()
        found = []
        for part in (MODEL, camera):
            at, status = self._statuses.get(status_name(node, part), (float("-inf"), None))
            if status is not None and now - at <= FORGET_DIAGNOSTICS:
                found.append(
                    {
                        "name": part,
                        "level": status.level[0],
                        "message": status.message,
                        "values": [[value.key, value.value] for value in status.values],
                    }
                )
        return found
