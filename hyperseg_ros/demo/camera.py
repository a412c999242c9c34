"""The demo's camera: publishes a drive as a camera's driver would, with ground truth where known.

Topics, in the node's namespace (/camera unless remapped):
    image_raw      sensor_msgs/Image bgr8
    camera_info    sensor_msgs/CameraInfo; its matrices are zero, "uncalibrated", where unknown
    ground_truth   sensor_msgs/Image mono8, class ids, for sources with labels
and the state of the drive on /diagnostics. Parameters: see `CameraNode`.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.demo.program import Program, run_program
from hyperseg_ros.demo.sources import SIMULATED, Drive, Frame, open_source
from hyperseg_ros.demo.status import DriveStatus
from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.runtime import find_model, read_card

STATUS_PERIOD = 0.5
"""Seconds between two messages about the state of the drive."""
QUEUE_DEPTH = 10


class CameraNode(Program):
    """Publishes a drive once, in its own time, and ends.

    Parameters:
        source (string, "simulated"): what `open_source` takes.
        model (string): of which the ground truth has the classes.
        frames (int, 300): end after so many; 0: at the end of the source.
        rate (float, 0.0): frames a second; 0: the source's own.
        width, height (int, 0): of a simulated camera or a device; 0: its own.
        seed (int, 0): of the simulated drive.
        subscribers (int, 1): of `image_raw` to wait for before the first frame.
        frame_id (string, "camera_optical_frame"): in every header.

    Raises:
        ValueError: a source, a model or a parameter that cannot be.
    """

    def __init__(self) -> None:
        super().__init__("demo_camera", namespace="camera")
        source = self.declare_parameter("source", SIMULATED).value
        model = self.declare_parameter("model", "hyperseg-s-lite0-camvid").value
        self._frames = self._count("frames", 300)
        rate = self.declare_parameter("rate", 0.0).value
        width, height = self._count("width", 0), self._count("height", 0)
        if (width == 0) != (height == 0):
            raise ValueError(f"width and height go together, not {width} x {height}")
        seed = self.declare_parameter("seed", 0).value
        self._subscribers = self._count("subscribers", 1)
        self._frame_id = self.declare_parameter("frame_id", "camera_optical_frame").value

        self._drive = open_source(
            source,
            read_card(find_model(model)).classes,
            rate=rate or None,
            size=(width, height) if width else None,
            seed=seed,
        )
        lengths = [length for length in (self._frames, self._drive.length) if length]
        self._status = DriveStatus(
            title=self._drive.title,
            rate=self._drive.rate,
            length=min(lengths, default=0),
            labelled=self._drive.labelled,
        )
        qos = QoSProfile(depth=QUEUE_DEPTH)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos)
        self._truth = None
        if self._drive.labelled:
            self._truth = self.create_publisher(Image, "ground_truth", qos)
        self._camera_info = self.create_publisher(CameraInfo, "camera_info", qos)
        self._image = self.create_publisher(Image, "image_raw", qos)
        self.create_timer(STATUS_PERIOD, self._report)

    def _count(self, name: str, default: int) -> int:
        count = int(self.declare_parameter(name, default).value)
        if count < 0:
            raise ValueError(f"{name} must be 0 or more, not {count}")
        return count

    def run(self) -> int:
        """Publish the drive; a KeyboardInterrupt is the end of it."""
        start = time.monotonic()
        try:
            self._wait_for_subscribers()
            start = time.monotonic()
            self._publish_drive()
        except KeyboardInterrupt:
            pass
        seconds = time.monotonic() - start
        self.get_logger().info(f"{self._status.published} frames in {seconds:.1f} s")
        self._status = dataclasses.replace(self._status, finished=True)
        self._report()
        for publisher in (self._image, self._truth, self._diagnostics):
            if publisher is not None:
                publisher.wait_for_all_acked(Duration(seconds=1))
        return 0

    def _wait_for_subscribers(self) -> None:
        while self._image.get_subscription_count() < self._subscribers:
            if self._drive.live:
                next(self._drive.frames, None)  # else the first ones published would be old
            self.spin_for(0.05)

    def _publish_drive(self) -> None:
        due = time.monotonic()
        for frame in self._drive.frames:
            if not self._drive.live:
                while (wait := due - time.monotonic()) > 0:
                    self.spin_for(wait)
                due = max(due, time.monotonic() - 1 / self._drive.rate) + 1 / self._drive.rate
            self._publish(frame)
            if self._status.published == self._frames:
                break
            self.spin_for(0.0)

    def _publish(self, frame: Frame) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        self._image.publish(to_image(header, frame.image, "bgr8"))
        self._camera_info.publish(camera_info(header, frame, self._drive))
        if self._truth is not None:
            labels = frame.labels
            if labels is None:
                labels = np.full(frame.image.shape[:2], UNLABELLED, np.uint8)
            self._truth.publish(to_image(header, labels, "mono8"))
        self._status = dataclasses.replace(self._status, published=self._status.published + 1)

    def _report(self) -> None:
        self._diagnostics.publish(self._status.to_message(self.get_clock().now()))


def camera_info(header: Header, frame: Frame, drive: Drive) -> CameraInfo:
    """The calibration of the camera that took `frame`, as far as it is known."""
    height, width = frame.image.shape[:2]
    info = CameraInfo(header=header, height=height, width=width)
    if drive.intrinsics is not None:
        fx, fy = drive.intrinsics.fx, drive.intrinsics.fy
        cx, cy = drive.intrinsics.cx, drive.intrinsics.cy
        info.distortion_model = "plumb_bob"
        info.d = [0.0] * 5
        info.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def main(arguments: list[str] | None = None) -> int:
    """Run the node until the drive ends; the exit code of the process."""
    return run_program(CameraNode, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
