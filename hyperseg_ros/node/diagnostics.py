"""The node's health on /diagnostics, once a second."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from hyperseg_ros.node.statistics import Summary

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)


class Key:
    """The keys of the values on /diagnostics, for those who read them."""

    # Of the status MODEL
    MODEL = "model"
    BACKEND = "backend"
    DEVICE = "device"
    PRECISION = "precision"
    BATCH_SIZE = "batch size"
    REASON = "reason"
    ENGINE_CACHE = "engine cache"

    # Of each camera's status
    RECEIVED = "frames received"
    SEGMENTED = "frames segmented"
    DROPPED = "frames dropped"
    SKIPPED = "frames skipped"
    BAD = "frames bad"
    UNWATCHED = "frames unwatched"
    LOST = "frames lost"
    WITHOUT_FREE_SPACE = "frames without free space"
    WITHOUT_POINTS = "frames without points"
    INPUT_RATE = "input rate (Hz)"
    OUTPUT_RATE = "output rate (Hz)"
    LATENCY_P50 = "stamp to output p50 (ms)"
    LATENCY_P95 = "stamp to output p95 (ms)"
    LATENCY_MAX = "stamp to output max (ms)"
    INFERENCE_P50 = "inference p50 (ms)"
    LAST_ERROR = "last error"


MODEL = "model"
"""The name of the model's status; a camera's has the name of its image topic."""


def status_name(node: str, part: str) -> str:
    """The name of a status on /diagnostics.

    Args:
        node: fully qualified name of the node.
        part: `MODEL`, or the image topic of a camera.
    """
    return f"{node}: {part}"


def camera_values(summary: Summary) -> dict[str, str]:
    """The values of a camera's status."""
    counts = summary.counts
    values = {
        Key.RECEIVED: str(counts.received),
        Key.SEGMENTED: str(counts.segmented),
        Key.DROPPED: str(counts.dropped),
        Key.SKIPPED: str(counts.skipped),
        Key.BAD: str(counts.bad),
        Key.UNWATCHED: str(counts.unwatched),
        Key.LOST: str(counts.lost),
        Key.WITHOUT_FREE_SPACE: str(counts.without_free_space),
        Key.WITHOUT_POINTS: str(counts.without_points),
        Key.INPUT_RATE: f"{summary.input_rate:.1f}",
        Key.OUTPUT_RATE: f"{summary.output_rate:.1f}",
    }
    if summary.age_ms is not None:
        for key, age in zip((Key.LATENCY_P50, Key.LATENCY_P95, Key.LATENCY_MAX), summary.age_ms):
            values[key] = f"{age:.1f}"
    if summary.inference_ms is not None:
        values[Key.INFERENCE_P50] = f"{summary.inference_ms:.1f}"
    if summary.last_error:
        values[Key.LAST_ERROR] = summary.last_error
    return values


@dataclass
class Health:
    """The state of one thing, in words."""

    name: str
    level: bytes
    message: str
    values: dict[str, str] = field(default_factory=dict)
    hardware: str = ""


@dataclass(frozen=True)
class Limits:
    """What a camera must keep to be well."""

    stale_after: float
    """Seconds without an image."""
    min_rate: float
    """Frames a second; 0 for any."""
    max_latency: float
    """Seconds from stamp to output, 95th percentile; 0 for any."""


def judge(
    now: Summary, before: Summary | None, limits: Limits, watched: bool
) -> list[tuple[bytes, str]]:
    """What is wrong with a camera that should be working, each with its level.

    Args:
        now: how it fares.
        before: how it fared at the last look, None at the first.
        limits: what it must keep.
        watched: whether somebody subscribes to its outputs.
    """
    if now.silence > limits.stale_after:
        never = "" if now.counts.received else " yet"
        return [(STALE, f"no image{never} for {now.silence:.1f} s")]
    troubles: list[tuple[bytes, str]] = []
    bad = now.counts.bad - (before.counts.bad if before else 0)
    good = now.counts.segmented - (before.counts.segmented if before else 0)
    if bad:
        troubles.append((WARN if good else ERROR, f"{bad} bad frames: {now.last_error}"))
    rate = now.output_rate if watched else now.input_rate
    if rate < limits.min_rate:
        what = "outputs" if watched else "images"
        troubles.append((WARN, f"{rate:.1f} {what} a second, fewer than {limits.min_rate:g}"))
    if limits.max_latency and now.age_ms and now.age_ms[1] > limits.max_latency * 1e3:
        troubles.append(
            (
                WARN,
                f"{now.age_ms[1]:.0f} ms from stamp to output, more than "
                f"{limits.max_latency * 1e3:g} ms",
            )
        )
    if now.age_ms and now.age_ms[0] < 0:
        troubles.append((WARN, "stamps are in the future: the clocks of camera and node differ"))
    return troubles


class Diagnostics:
    """The node's publisher of /diagnostics.

    Args:
        node: the node that publishes.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)

    def publish(self, findings: Iterable[Health]) -> None:
        """Publishes the present health of everything the node has."""
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        array.status = [
            DiagnosticStatus(
                name=status_name(self._node.get_fully_qualified_name(), health.name),
                level=health.level,
                message=health.message,
                hardware_id=health.hardware,
                values=[KeyValue(key=key, value=value) for key, value in health.values.items()],
            )
            for health in findings
        ]
        self._publisher.publish(array)
