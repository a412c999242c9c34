"""The demo's camera: publishes a drive as a camera's driver would, with ground truth where known.

Topics, in the node's namespace (/camera unless remapped):
    image_raw      sensor_msgs/Image bgr8
    camera_info    sensor_msgs/CameraInfo; its matrices are zero, "uncalibrated", where unknown
    ground_truth   sensor_msgs/Image mono8, class ids, for sources with labels
    ground_truth/scan  sensor_msgs/LaserScan, for the simulated camera; without ranges where a
                   frame's are not known
    drive          std_msgs/String, the state of the drive, as `DriveStatus` has it
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import numpy as np
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import Header, String

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.demo.free_space import BEARINGS, MAX_RANGE, STEP
from hyperseg_ros.demo.pace import Pace
from hyperseg_ros.demo.program import Program, run_program
from hyperseg_ros.demo.sources import SIMULATED, Drive, Frame, open_source
from hyperseg_ros.demo.status import DRIVE, DRIVE_QOS, DriveStatus
from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.node.declared_parameters import ParameterError, ParameterSet, parameter
from hyperseg_ros.runtime import find_model, read_card
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL

LABEL = "segmentation/label"
LOOK_PERIOD = 0.01
"""Seconds between two looks at whether the next frame may be published."""
QUEUE_DEPTH = 10


@dataclass(frozen=True)
class CameraParameters(ParameterSet):
    """The parameters of the demo's camera; all are read once, at the start."""

    source: str = parameter(
        SIMULATED,
        "simulated, a video file, an image folder, a recording, or /dev/videoN.",
        read_only=True,
    )
    model: str = parameter(
        DEFAULT_MODEL, "The model that segments: the ground truth has its classes.", read_only=True
    )
    frames: int = parameter(
        300,
        "End after so many frames; 0: at the end of the source.",
        bounds=(0, 10**9),
        read_only=True,
    )
    rate: float = parameter(
        0.0, "Frames a second; 0: the source's own.", bounds=(0.0, 1000.0), read_only=True
    )
    width: int = parameter(
        0,
        "Width of the images of the simulated camera or of a device; 0: its own.",
        bounds=(0, 16384),
        read_only=True,
    )
    height: int = parameter(
        0, "Height of the images, like width.", bounds=(0, 16384), read_only=True
    )
    seed: int = parameter(0, "Seed of the simulated drive.", bounds=(0, 2**31), read_only=True)
    subscribers: int = parameter(
        1,
        "Subscribers of image_raw to wait for before the first frame.",
        bounds=(0, 100),
        read_only=True,
    )
    wait_for_labels: bool = parameter(
        False,
        "Wait for the labels of each frame before the next: the drive then has the pace of the "
        "machine, at most that of rate, and no frame is dropped.",
        read_only=True,
    )
    frame_id: str = parameter("camera_optical_frame", "frame_id of every header.", read_only=True)

    def check(self) -> None:
        """Refuses half a size.

        Raises:
            ParameterError: one of width and height is 0.
        """
        if (self.width == 0) != (self.height == 0):
            raise ParameterError(f"width and height go together, not {self.width} x {self.height}")


class CameraNode(Program[CameraParameters]):
    """Publishes a drive once, in its own time, and ends.

    Raises:
        ParameterError: the source, the model or another parameter is invalid.
    """

    def __init__(self) -> None:
        super().__init__(CameraParameters, "demo_camera", namespace="camera")
        given = self.parameters
        self._given = given
        try:
            self._drive = open_source(
                given.source,
                read_card(find_model(given.model)).classes,
                rate=given.rate or None,
                size=(given.width, given.height) if given.width else None,
                seed=given.seed,
            )
        except ValueError as error:  # of the source or the model, which are parameters
            raise ParameterError(str(error)) from None
        lengths = [length for length in (self._given.frames, self._drive.length) if length]
        self._status = DriveStatus(
            title=self._drive.title,
            rate=self._drive.rate,
            length=min(lengths, default=0),
            labelled=self._drive.labelled,
            waits=given.wait_for_labels,
            measured=self._drive.mount is not None,
        )
        qos = QoSProfile(depth=QUEUE_DEPTH)
        self._drive_status = self.create_publisher(String, DRIVE, DRIVE_QOS)
        self._truth = None
        if self._drive.labelled:
            self._truth = self.create_publisher(Image, "ground_truth", qos)
        self._true_scan = None
        if self._drive.mount is not None:
            self._true_scan = self.create_publisher(LaserScan, "ground_truth/scan", qos)
        self._camera_info = self.create_publisher(CameraInfo, "camera_info", qos)
        self._image = self.create_publisher(Image, "image_raw", qos)
        self._pace = Pace()
        if given.wait_for_labels:
            self.create_subscription(Image, LABEL, self._on_label, qos)
        self._report()

    def run(self) -> int:
        """Publish the drive, until a signal comes at the latest.

        Raises:
            SourceError: a frame cannot be read, after what came before has been published.
        """
        start = time.monotonic()
        try:
            self._wait_for_subscribers()
            start = time.monotonic()
            self._publish_drive()
        except KeyboardInterrupt:
            pass
        finally:
            seconds = time.monotonic() - start
            self.get_logger().info(f"{self._status.published} frames in {seconds:.1f} s")
            self._status = dataclasses.replace(self._status, finished=True)
            self._report()
            for publisher in (self._image, self._truth, self._true_scan, self._drive_status):
                if publisher is not None:
                    publisher.wait_for_all_acked(Duration(seconds=1))
        return 0

    def _wait_for_subscribers(self) -> None:
        while self._image.get_subscription_count() < self._given.subscribers:
            if self._drive.live:
                next(self._drive.frames, None)  # else the first ones published would be old
            self.spin_for(0.05)

    def _publish_drive(self) -> None:
        period, due = 1 / self._drive.rate, time.monotonic()
        for frame in self._drive.frames:
            if not self._drive.live:
                while (wait := due - time.monotonic()) > 0:
                    self.spin_for(wait)
                while not self._pace.may_go_on():
                    self.spin_for(LOOK_PERIOD)
                due = max(due, time.monotonic() - period) + period
            self._publish(frame)
            if self._status.published == self._given.frames:
                break
            self.spin_for(0.0)

    def _on_label(self, label: Image) -> None:
        self._pace.answered(Time.from_msg(label.header.stamp).nanoseconds)

    def _publish(self, frame: Frame) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._given.frame_id)
        if self._given.wait_for_labels:
            self._pace.published(Time.from_msg(header.stamp).nanoseconds)
        self._image.publish(to_image(header, frame.image, "bgr8"))
        self._camera_info.publish(camera_info(header, frame, self._drive))
        if self._truth is not None:
            labels = frame.labels
            if labels is None:
                labels = np.full(frame.image.shape[:2], UNLABELLED, np.uint8)
            self._truth.publish(to_image(header, labels, "mono8"))
        if self._true_scan is not None:
            self._true_scan.publish(true_scan(header, frame))
        self._status = dataclasses.replace(self._status, published=self._status.published + 1)
        self._report()

    def _report(self) -> None:
        self._drive_status.publish(self._status.to_message())


def true_scan(header: Header, frame: Frame) -> LaserScan:
    """The true free space of a frame; without ranges where it is not known."""
    return LaserScan(
        header=header,
        angle_min=float(BEARINGS[0]),
        angle_max=float(BEARINGS[-1]),
        angle_increment=STEP,
        range_max=MAX_RANGE,
        ranges=[] if frame.ranges is None else frame.ranges.astype(np.float32),
    )


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
