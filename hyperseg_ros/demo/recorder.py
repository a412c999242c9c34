"""The demo's recorder: subscribes to a camera and to what the segmentation node makes of it.

Topics, in the node's namespace (/camera unless remapped): image_raw, drive, ground_truth,
ground_truth/scan, and below segmentation/ label, confidence, overlay, free_space/scan; and
/diagnostics.
"""

from __future__ import annotations

import functools
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from numpy.typing import NDArray
from rclpy.time import Time
from sensor_msgs.msg import Image, LaserScan
from std_msgs.msg import String

from hyperseg_ros.demo.frame_join import FrameJoin
from hyperseg_ros.demo.free_space import Scan
from hyperseg_ros.demo.program import Program, run_program
from hyperseg_ros.demo.progress import Progress
from hyperseg_ros.demo.recording import Recording, SegmentedFrame
from hyperseg_ros.demo.report import format_report, summarize
from hyperseg_ros.demo.status import DRIVE, DRIVE_QOS, DriveStatus, NodeFigures
from hyperseg_ros.files import write_text
from hyperseg_ros.node.conversions import to_bgr
from hyperseg_ros.node.declared_parameters import ParameterSet, parameter
from hyperseg_ros.runtime import ModelCard, find_model, read_card
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL

IMAGE = "image_raw"
TRUTH = "ground_truth"
LABEL = "segmentation/label"
CONFIDENCE = "segmentation/confidence"
OVERLAY = "segmentation/overlay"
SCAN = "segmentation/free_space/scan"
TRUE_SCAN = "ground_truth/scan"
OUTPUTS = (LABEL, CONFIDENCE, OVERLAY)

QUEUE_DEPTH = 30
SETTLE = 0.5
"""Seconds in which the node learns of the recorder's subscriptions."""
ANSWER_TIME = 2.0
"""Seconds that the node may take to tell its state."""
QUIET = 3.0
"""Seconds without a message after which a drive that has ended is over."""


class RecorderError(ValueError):
    """The demo cannot go on; the message says why."""


class Arrival(NamedTuple):
    """A message and when it came."""

    message: Any
    time_ns: int


class Session:
    """The recording of one drive, from its first frame to its report.

    Args:
        folder: to write to.
        card: of the model that segments.
        drive: what the camera says before the first frame.
    """

    def __init__(self, folder: Path, card: ModelCard, drive: DriveStatus) -> None:
        self.images = 0
        """Camera images seen."""
        self._folder = folder
        self._card = card
        self._join: FrameJoin[Arrival] = FrameJoin(
            [IMAGE, *OUTPUTS] + [TRUTH] * drive.labelled + [SCAN, TRUE_SCAN] * drive.measured
        )
        self.recording = Recording(folder, card.classes, drive.rate, drive.waits)
        self._progress = Progress(drive.length)

    @property
    def frames(self) -> int:
        """Frames of which everything came back."""
        return self.recording.statistics.frames

    def receive(self, topic: str, arrival: Arrival) -> None:
        """Take a message of one of the topics."""
        self.images += topic == IMAGE
        stamp = Time.from_msg(arrival.message.header.stamp).nanoseconds
        arrivals = self._join.add(topic, stamp, arrival)
        if arrivals is None:
            return
        frame = _segmented_frame(stamp, arrivals)
        self.recording.add(frame)
        note = f"latency {frame.latency_ms:.0f} ms, dropped {self._join.let_go}"
        miou = self.recording.statistics.confusion.miou()
        if not math.isnan(miou):
            note = f"mIoU {miou:.1%}, {note}"
        self._progress.update(self.images, note)

    def finish(self, drive: DriveStatus, node: NodeFigures) -> None:
        """Print the report and write the recorded images and video.

        Raises:
            RecorderError: no frame came back.
            OSError: the files cannot be written as a whole; older ones are kept.
        """
        self._progress.close()
        report = summarize(
            self.recording.statistics,
            self._card.classes,
            source=drive.title,
            model=self._card.name,
            backend=node.backend,
            seconds=self.recording.seconds,
            frames_in=max(drive.published, self.images),
            inference_ms=node.inference_ms,
        )
        subtitle = f"{report.source}, {report.frames_out} frames, {report.backend}"
        if report.miou is not None:
            subtitle += f", mIoU {report.miou:.1%}"
        files = self.recording.finish(self._card.name, subtitle)
        if not files:
            raise RecorderError(
                f"no segmented frame came back of {report.frames_in} that the camera published"
            )
        figures = self._folder / "report.json"
        write_text(figures, report.to_json() + "\n")
        print(f"\n{format_report(report, colored=sys.stdout.isatty())}\n")
        print(*files, figures, sep="\n", flush=True)


@dataclass(frozen=True)
class RecorderParameters(ParameterSet):
    """The parameters of the demo's recorder; all are read once, at the start."""

    output: str = parameter("demo_output", "The folder to write to.", read_only=True)
    model: str = parameter(
        DEFAULT_MODEL,
        "The segmentation node's model, for names and colours of the classes.",
        read_only=True,
    )
    node: str = parameter(
        "/segmentation", "Fully qualified name of the segmentation node.", read_only=True
    )
    start_timeout: float = parameter(
        120.0,
        "Seconds to wait for the camera and the node.",
        bounds=(0.1, 86400.0),
        read_only=True,
    )


class RecorderNode(Program[RecorderParameters]):
    """Records one drive, prints the report, and ends.

    It subscribes to the camera's images last, when everything else stands. The camera, which waits
    for its subscribers, so loses no frame at the start.

    Raises:
        ValueError: the model or a parameter is invalid.
    """

    def __init__(self) -> None:
        super().__init__(RecorderParameters, "demo_recorder", namespace="camera")
        given = self.parameters
        self._folder = Path(given.output)
        self._card = read_card(find_model(given.model))
        self._segmentation = given.node
        self._start_timeout = given.start_timeout
        self._folder.mkdir(parents=True, exist_ok=True)

        self._image_topic = self.resolve_topic_name(IMAGE)
        self._drive = DriveStatus()
        self._node = NodeFigures()
        self._session: Session | None = None
        self._last_arrival = time.monotonic()
        self._node_spoke_since = False
        self.create_subscription(String, DRIVE, self._on_drive, DRIVE_QOS)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, QUEUE_DEPTH)
        for topic in (*OUTPUTS, TRUTH):
            self._subscribe(topic)
        for topic in (SCAN, TRUE_SCAN):
            self._subscribe(topic, LaserScan)
        # The node discovers what this process has in its order: when it answers this client, which
        # comes last, it knows the subscriptions, and the first frame is not left alone.
        self._state = self.create_client(GetState, f"{given.node}/get_state")

    def run(self) -> int:
        """Record until the drive ends, or a signal comes.

        Raises:
            RecorderError: the camera or the node does not come up, or no frame came back.
        """
        self._wait_for_start()
        session = self._session = Session(self._folder, self._card, self._drive)
        with session.recording:
            self._subscribe(IMAGE)
            self._record(session)
            session.finish(self._drive, self._node)
        return 0

    def _record(self, session: Session) -> None:
        try:
            while not self._over(session):
                self.spin_for(0.1)
        except KeyboardInterrupt:
            end = time.monotonic() + QUIET  # for what is still on its way
            while not self._over(session) and time.monotonic() < end:
                self.spin_for(0.1)

    def _wait_for_start(self) -> None:
        end = time.monotonic() + self._start_timeout
        while not (self._drive.rate and self._node_is_active()):
            if self._node.failure:
                raise RecorderError(f"the segmentation node cannot start: {self._node.failure}")
            if time.monotonic() > end:
                late = "segmentation node" if self._drive.rate else "camera"
                raise RecorderError(
                    f"the {late} did not come up within {self._start_timeout:.0f} s"
                )
            self.spin_for(0.1)
        end = time.monotonic() + SETTLE
        while time.monotonic() < end:
            self.spin_for(0.1)

    def _node_is_active(self) -> bool:
        """Asks the node for the state of its life cycle."""
        if not self._state.service_is_ready():
            return False
        answer = self._state.call_async(GetState.Request())
        end = time.monotonic() + ANSWER_TIME
        while not answer.done() and time.monotonic() < end:
            self.spin_for(0.1)
        response = answer.result() if answer.done() else None
        return response is not None and response.current_state.id == State.PRIMARY_STATE_ACTIVE

    def _over(self, session: Session) -> bool:
        all_back = self._drive.finished and session.frames == self._drive.published
        if all_back and self._node_spoke_since:  # so its figures are as new as the last frame
            return True
        gone = session.images > 0 and self.count_publishers(self._image_topic) == 0
        quiet = time.monotonic() - self._last_arrival
        return (self._drive.finished or gone) and quiet > QUIET

    def _subscribe(self, topic: str, kind: type = Image) -> None:
        self.create_subscription(
            kind, topic, functools.partial(self._on_message, topic), QUEUE_DEPTH
        )

    def _on_drive(self, message: String) -> None:
        self._drive = DriveStatus.from_message(message)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        node = NodeFigures.from_message(message, self._segmentation, self._image_topic)
        if node is not None:
            self._node = node
            self._node_spoke_since = True

    def _on_message(self, topic: str, message: Image | LaserScan) -> None:
        arrival = Arrival(message, self.get_clock().now().nanoseconds)
        self._last_arrival = time.monotonic()
        self._node_spoke_since = False
        if self._session is not None:
            self._session.receive(topic, arrival)


def _segmented_frame(stamp: int, arrivals: dict[str, Arrival]) -> SegmentedFrame:
    return SegmentedFrame(
        stamp_ns=stamp,
        latency_ms=(arrivals[LABEL].time_ns - stamp) / 1e6,
        image=to_bgr(arrivals[IMAGE].message),
        labels=_mono(arrivals[LABEL].message),
        confidence=_mono(arrivals[CONFIDENCE].message),
        overlay=to_bgr(arrivals[OVERLAY].message),
        truth=_mono(arrivals[TRUTH].message) if TRUTH in arrivals else None,
        scan=_scan(arrivals[SCAN].message) if SCAN in arrivals else None,
        true_scan=_scan(arrivals[TRUE_SCAN].message) if TRUE_SCAN in arrivals else None,
    )


def _scan(message: LaserScan) -> Scan | None:
    """The ranges of a scan and their bearings; None of one without ranges."""
    if not message.ranges:
        return None
    steps = np.arange(len(message.ranges))
    return Scan(
        message.angle_min + steps * message.angle_increment, np.array(message.ranges, np.float32)
    )


def _mono(message: Image) -> NDArray[np.uint8]:
    """The pixels of a mono8 image, uint8 [H, W]."""
    if message.encoding != "mono8":
        raise ValueError(f"expected mono8 from the segmentation node, not {message.encoding}")
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    return rows[:, : message.width]


def main(arguments: list[str] | None = None) -> int:
    """Run the node until the drive ends; the exit code of the process."""
    return run_program(RecorderNode, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
