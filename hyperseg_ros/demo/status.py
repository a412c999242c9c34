"""What the demo's camera and the segmentation node say about themselves on /diagnostics."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

DRIVE = "demo_camera: drive"


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
    published: int = 0
    """Frames so far."""
    finished: bool = False
    """Whether there will be no more."""

    def to_message(self, now: Time) -> DiagnosticArray:
        """As a diagnostic message."""
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK,
            name=DRIVE,
            message="finished" if self.finished else "driving",
            values=[KeyValue(key=key, value=str(value)) for key, value in asdict(self).items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = now.to_msg()
        return message

    @classmethod
    def from_message(cls, message: DiagnosticArray) -> DriveStatus | None:
        """The drive's status if `message` holds one, else None."""
        for status in message.status:
            if status.name == DRIVE:
                values = {entry.key: entry.value for entry in status.values}
                return cls(
                    title=values["title"],
                    rate=float(values["rate"]),
                    length=int(values["length"]),
                    labelled=values["labelled"] == "True",
                    published=int(values["published"]),
                    finished=values["finished"] == "True",
                )
        return None


@dataclass(frozen=True)
class NodeStatus:
    """The state of the segmentation node, as far as the demo needs it."""

    active: bool = False
    """Whether it segments."""
    failure: str = ""
    """Why it could not be configured; empty if it could."""
    backend: str = ""
    """What runs the network, with device and precision."""
    inference_ms: float | None = None
    """Median of the latest frames; None before the first."""

    @classmethod
    def from_message(cls, message: DiagnosticArray, node: str, image: str) -> NodeStatus | None:
        """The node's status if `message` holds one, else None.

        Args:
            message: from /diagnostics.
            node: fully qualified name of the node.
            image: fully qualified topic of the camera's images.
        """
        statuses = {status.name: status for status in message.status}
        model = statuses.get(f"{node}: model")
        if model is None:
            return None
        values = {entry.key: entry.value for entry in model.values}
        backend = ", ".join(
            values[key] for key in ("backend", "device", "precision") if key in values
        )
        camera = statuses.get(f"{node}: {image}")
        frames = {entry.key: entry.value for entry in camera.values} if camera else {}
        inference = frames.get("inference p50 (ms)")
        return cls(
            active=model.message == "active",
            failure=model.message if model.level == DiagnosticStatus.ERROR else "",
            backend=backend,
            inference_ms=float(inference) if inference else None,
        )
