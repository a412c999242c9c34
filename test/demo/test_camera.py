from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

import models
from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.demo.camera import camera_info
from hyperseg_ros.demo.processes import NodeProcess
from hyperseg_ros.demo.sources import Drive, Frame
from hyperseg_ros.demo.status import DriveStatus
from hyperseg_ros.simulation import Intrinsics

HEIGHT, WIDTH = 30, 41
TOPICS = {"image_raw": Image, "ground_truth": Image, "camera_info": CameraInfo}


@pytest.fixture
def node() -> Iterator[Node]:
    rclpy.init()
    listener = Node("listener", namespace="camera")
    yield listener
    listener.destroy_node()
    rclpy.try_shutdown()


def test_a_folder_is_published_with_its_labels(node: Node, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
    labels = random.integers(0, 11, (HEIGHT, WIDTH), np.uint8)
    (tmp_path / "labels").mkdir()
    for index, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
    cv2.imwrite(str(tmp_path / "labels" / "1.png"), labels)

    received: dict[str, list] = {topic: [] for topic in TOPICS}
    statuses: list[DriveStatus] = []
    for topic, message_type in TOPICS.items():
        node.create_subscription(message_type, topic, received[topic].append, 10)

    def on_diagnostics(message: DiagnosticArray) -> None:
        status = DriveStatus.from_message(message)
        if status is not None:
            statuses.append(status)

    node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, 10)
    parameters = {
        "source": str(tmp_path),
        "model": str(models.write_palette_model(tmp_path / "palette.onnx")),
        "rate": 5.0,
        "frame_id": "front",
    }
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    with NodeProcess("demo_camera", parameters, tmp_path, os.environ, quiet=True) as camera:
        deadline = time.monotonic() + 30
        while not camera.ended() and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)
    executor.spin_once(timeout_sec=0.1)

    stamps = [[m.header.stamp for m in messages] for messages in received.values()]
    assert stamps[0] == stamps[1] == stamps[2]
    nanoseconds = [stamp.sec * 10**9 + stamp.nanosec for stamp in stamps[0]]
    assert all(b - a > 0.1e9 for a, b in itertools.pairwise(nanoseconds))
    for message, image in zip(received["image_raw"], images, strict=True):
        assert (message.encoding, message.header.frame_id) == ("bgr8", "front")
        assert (message.height, message.width, message.step) == (HEIGHT, WIDTH, 3 * WIDTH)
        assert bytes(message.data) == image.tobytes()
    unknown = np.full_like(labels, UNLABELLED)
    for message, truth in zip(received["ground_truth"], (unknown, labels, unknown), strict=True):
        assert (message.encoding, message.step) == ("mono8", WIDTH)
        assert bytes(message.data) == truth.tobytes()
    assert statuses[-1] == DriveStatus(
        str(tmp_path), 5.0, 3, labelled=True, published=3, finished=True
    )


@pytest.mark.parametrize("intrinsics", [Intrinsics(300.0, 301.0, 20.5, 14.5), None])
def test_the_calibration_is_the_drives_or_zero(intrinsics: Intrinsics | None) -> None:
    frame = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    drive = Drive(
        title="",
        rate=1.0,
        length=None,
        labelled=False,
        live=False,
        intrinsics=intrinsics,
        frames=iter([frame]),
    )
    info = camera_info(Header(frame_id="front"), frame, drive)
    assert (info.height, info.width, info.header.frame_id) == (HEIGHT, WIDTH, "front")
    if intrinsics is None:
        assert not info.k.any()  # "uncalibrated"
        assert not info.p.any()
    else:
        assert info.k.reshape(3, 3).tolist() == [[300, 0, 20.5], [0, 301, 14.5], [0, 0, 1]]
        assert (info.p.reshape(3, 4)[:, :3] == info.k.reshape(3, 3)).all()
        assert (info.p.reshape(3, 4)[:, 3] == 0).all()
        assert (info.r.reshape(3, 3) == np.eye(3)).all()
        assert info.distortion_model == "plumb_bob"
