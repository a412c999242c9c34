"""Writes small recordings of every kind that people have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags import rosbag1, rosbag2
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.typesys import Stores, get_typestore

ROS2 = get_typestore(Stores.ROS2_JAZZY)
ROS1 = get_typestore(Stores.ROS1_NOETIC)
CAMERA = "/front/image_raw"
START = 1_700_000_000_000_000_000
PERIOD = 100_000_000

Message = tuple[str, str, int, Any]
"""Topic, type, receive time in nanoseconds, message."""


def header(store: Any, time: int, **extra: Any) -> Any:
    stamp = store.types["builtin_interfaces/msg/Time"](time // 10**9, time % 10**9)
    return store.types["std_msgs/msg/Header"](**extra, stamp=stamp, frame_id="camera")


def image(pixels: np.ndarray, time: int, encoding: str = "bgr8", ros1: bool = False) -> Any:
    store = ROS1 if ros1 else ROS2
    height, width = pixels.shape[:2]
    return store.types["sensor_msgs/msg/Image"](
        header=header(store, time, **({"seq": 0} if ros1 else {})),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=pixels.nbytes // height,
        data=pixels.reshape(-1).view(np.uint8),
    )


def compressed(pixels: np.ndarray, time: int, suffix: str = "jpg") -> Any:
    kind = {"jpg": "jpeg", "png": "png"}[suffix]
    data = cv2.imencode(f".{suffix}", pixels)[1]
    return ROS2.types["sensor_msgs/msg/CompressedImage"](
        header=header(ROS2, time), format=f"bgr8; {kind} compressed bgr8", data=data
    )


INFO = "sensor_msgs/msg/CameraInfo"
IMAGE = "sensor_msgs/msg/Image"


def camera_info(time: int, size: tuple[int, int] = (48, 64)) -> Any:
    roi = ROS2.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    return ROS2.types[INFO](
        header=header(ROS2, time),
        height=size[0],
        width=size[1],
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.eye(3).ravel() * 50,
        r=np.eye(3).ravel(),
        p=np.eye(3, 4).ravel() * 50,
        binning_x=0,
        binning_y=0,
        roi=roi,
    )


def pixels(seed: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def frames(
    count: int, topic: str = CAMERA, start: int = START, size: tuple[int, int] = (48, 64)
) -> list[Message]:
    """Raw images at 10 Hz; receive times are a millisecond after the stamps."""
    times = [start + index * PERIOD for index in range(count)]
    return [
        (topic, "sensor_msgs/msg/Image", time + 10**6, image(pixels(index, size), time))
        for index, time in enumerate(times)
    ]


def write(
    path: Path,
    messages: Sequence[Message],
    storage: str = "mcap",
    compression: str = "",
    store: Any = ROS2,
) -> Path:
    """A rosbag2 folder, compressed by "file" or "message" if at all."""
    writer = rosbag2.Writer(path, version=8, storage_plugin=StoragePlugin[storage.upper()])
    if compression:
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        _fill(writer, messages, store, store.serialize_cdr)
    return path


def write_ros1(path: Path, messages: Sequence[Message]) -> Path:
    with rosbag1.Writer(path) as writer:
        _fill(writer, messages, ROS1, ROS1.serialize_ros1)
    return path


def _fill(
    writer: Any, messages: Sequence[Message], store: Any, serialize: Callable[..., Any]
) -> None:
    connections: dict[str, Any] = {}
    for topic, kind, time, message in messages:
        if topic not in connections:
            connections[topic] = writer.add_connection(topic, kind, typestore=store)
        writer.write(connections[topic], time, serialize(message, kind))
