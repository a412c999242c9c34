from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from node_process import PATIENCE
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

import models
from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.demo import pace
from hyperseg_ros.demo.camera import camera_info
from hyperseg_ros.demo.processes import NodeProcess
from hyperseg_ros.demo.sources import Drive, Frame
from hyperseg_ros.demo.status import DRIVE, DRIVE_QOS, DriveStatus
from hyperseg_ros.simulation import Intrinsics

HEIGHT, WIDTH = 30, 41
TOPICS = {"ground_truth": Image, "camera_info": CameraInfo, "image_raw": Image}
"""In the order in which they are subscribed to: the camera waits for a subscriber of the last."""


@pytest.fixture
def node() -> Iterator[Node]:
    listener = Node("listener", namespace="camera")
    yield listener
    listener.destroy_node()


def camera_process(parameters: dict[str, object], folder: Path) -> NodeProcess:
    return NodeProcess("demo_camera", "/camera", parameters, folder, os.environ, quiet=True)


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

    node.create_subscription(
        String, DRIVE, lambda said: statuses.append(DriveStatus.from_message(said)), DRIVE_QOS
    )
    parameters = {
        "source": str(tmp_path),
        "model": str(models.write_palette_model(tmp_path / "palette.onnx")),
        "rate": 5.0,
        "frame_id": "front",
    }
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def complete() -> bool:
        """Also what the camera sent last has been received, which may be after its end."""
        counts = {len(messages) for messages in received.values()}
        return counts == {len(images)} and bool(statuses) and statuses[-1].finished

    with camera_process(parameters, tmp_path) as camera:
        deadline = time.monotonic() + PATIENCE
        while not (camera.ended() and complete()) and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)

    stamps = [[m.header.stamp for m in messages] for messages in received.values()]
    assert stamps[0] == stamps[1] == stamps[2]
    nanoseconds = [stamp.sec * 10**9 + stamp.nanosec for stamp in stamps[0]]
    assert nanoseconds == sorted(set(nanoseconds))
    assert nanoseconds[-1] - nanoseconds[0] > 0.15e9
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


def test_it_can_wait_for_the_labels_of_each_frame(node: Node, tmp_path: Path) -> None:
    images: list[Image] = []
    node.create_subscription(Image, "image_raw", images.append, 10)
    labels = node.create_publisher(Image, "segmentation/label", 10)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    parameters = {
        "model": str(models.write_palette_model(tmp_path / "palette.onnx")),
        "rate": 200.0,
        "width": WIDTH,
        "height": HEIGHT,
        "frames": 5,
        "wait_for_labels": True,
    }
    with camera_process(parameters, tmp_path) as camera:
        deadline = time.monotonic() + PATIENCE
        while not labels.get_subscription_count() and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)
        for count in range(1, 6):
            while len(images) < count and time.monotonic() < deadline:
                executor.spin_once(timeout_sec=0.1)
            if count > 1:  # the first is not answered
                labels.publish(Image(header=images[-1].header))
        while not camera.ended() and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)
        assert camera.ended()
    assert len(images) == 5
    stamps = [image.header.stamp.sec + image.header.stamp.nanosec * 1e-9 for image in images]
    given_up, *answered = np.diff(stamps)
    assert given_up > pace.PATIENCE - 0.1  # at its rate the next would have come after 5 ms
    assert min(answered) < pace.PATIENCE / 2


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
