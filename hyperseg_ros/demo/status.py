"""What the demo's camera and the segmentation node say about themselves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from hyperseg_ros.node.diagnostics import MODEL, Key, status_name

DRIVE = "drive"
"""The topic of the drive's status, in the namespace of the camera."""
DRIVE_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@dataclass(frozen=True)
class DriveStatus:
    """The state of a drive."""

    title: str = ""
    """What a reader of the report sees."""
    rate: float = 0.0
    """Frames a second; 0 before the camera has said so."""
    length: int = 0
    """Frames there will be; 0 where nobody knows."""
    labelled: bool = False
    """Whether the ground truth of every frame is published."""
    waits: bool = False
    """Whether frames wait for the labels of those before: the drive has a time of its own."""
    measured: bool = False
    """Whether the camera's mount and the true free space are known."""
    published: int = 0
    """Frames so far."""
    finished: bool = False
    """Whether there will be no more."""

    def to_message(self) -> String:
        """As a message of the topic `DRIVE`."""
        return String(data=json.dumps(asdict(self)))

    @classmethod
    def from_message(cls, message: String) -> DriveStatus:
        """The status that a camera has published."""
        return cls(**json.loads(message.data))


@dataclass(frozen=True)
class NodeFigures:
    """What the report takes from the segmentation node's diagnostics."""

    failure: str = ""
    """Why it could not be configured; empty if it could."""
    backend: str = ""
    """What runs the network, with device and precision."""
    inference_ms: float | None = None
    """Median of the latest frames; None before the first."""

    @classmethod
    def from_message(cls, message: DiagnosticArray, node: str, image: str) -> NodeFigures | None:
        """The node's figures if `message` holds any, else None.

        Args:
            message: from /diagnostics.
            node: fully qualified name of the node.
            image: fully qualified topic of the camera's images.
        """
        statuses = {status.name: status for status in message.status}
        model = statuses.get(status_name(node, MODEL))
        if model is None:
            return None
        values = {entry.key: entry.value for entry in model.values}
        backend = ", ".join(
            values[key] for key in (Key.BACKEND, Key.DEVICE, Key.PRECISION) if key in values
        )
        camera = statuses.get(status_name(node, image))
        frames = {entry.key: entry.value for entry in camera.values} if camera else {}
        inference = frames.get(Key.INFERENCE_P50)
        return cls(
            failure=model.message if model.level == DiagnosticStatus.ERROR else "",
            backend=backend,
            inference_ms=float(inference) if inference else None,
        )
