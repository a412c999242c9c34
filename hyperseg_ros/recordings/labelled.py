"""The frames of a recording that have labels in it: to measure a model on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.frames.pixels import to_bgr
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.recordings.cameras import find_cameras
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.reading import IMAGE, Recording

TRUTHS = ("ground_truth", "label", "labels")
"""Names of label topics in a camera's namespace, the first that is there counts."""
_ID_ENCODINGS = ("mono8", "8UC1")


@dataclass
class LabelledFrames:
    """Images, and labels with the same stamp."""

    images: list[NDArray[np.uint8]] = field(default_factory=list)
    """RGB, uint8 [H, W, 3]."""
    labels: list[NDArray[np.uint8]] = field(default_factory=list)
    """Class ids, `UNLABELLED` where there is none, uint8 [H, W]."""
    names: list[str] = field(default_factory=list)
    """Topic and stamp of each."""


def read_labelled(path: Path, label_topic: str = "", classes: int = 255) -> LabelledFrames:
    """The labelled frames of a recording.

    Args:
        path: of the recording.
        label_topic: Image mono8 of class ids, with the headers of a camera's images; empty for a
            topic of `TRUTHS` in a camera's namespace.
        classes: number of classes; 255 and that number are unlabelled.

    Raises:
        RecordingError: there are no such topics, no stamps are equal, or an id is no class.
    """
    with Recording(path) as recording:
        camera, topic = _find(recording, label_topic)
        truths: dict[tuple[int, int], Any] = {}
        for stored in recording.messages([topic]):
            message = recording.decode(stored)
            truths[_stamp(message)] = _ids(message, topic, classes)
        found = LabelledFrames()
        for stored in recording.messages([camera.image]):
            message = recording.decode(stored)
            labels = truths.get(_stamp(message))
            if labels is None:
                continue
            image = to_bgr(message)
            if image.shape[:2] != labels.shape:
                raise RecordingError(
                    f"{path}: labels of {topic} are {labels.shape[1]} x {labels.shape[0]}, images "
                    f"of {camera.image} {image.shape[1]} x {image.shape[0]}"
                )
            found.images.append(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
            found.labels.append(labels)
            found.names.append("{} {}.{:09}".format(camera.image, *_stamp(message)))
    if not found.images:
        raise RecordingError(
            f"{path}: no image of {camera.image} has the stamp of a message of {topic}"
        )
    return found


def _find(recording: Recording, label_topic: str) -> tuple[CameraTopics, str]:
    """The camera and the topic of its labels, of the same namespace if that is not named."""
    images = [topic.name for topic in recording.topics if topic.type == IMAGE and topic.messages]
    if label_topic and label_topic not in images:
        raise RecordingError(
            f"{recording.path} has no topic {label_topic} of sensor_msgs/Image; it has "
            f"{', '.join(images) or 'none'}"
        )
    truths = [label_topic] if label_topic else [n for n in images if _last(n) in TRUTHS]
    cameras = find_cameras(recording, without=truths)
    for name in TRUTHS if not label_topic else ():
        for camera in cameras:
            if f"{camera.namespace}/{name}" in truths:
                return camera, f"{camera.namespace}/{name}"
    if not label_topic:
        raise RecordingError(
            f"{recording.path} has no labels: no topic {' or '.join(TRUTHS)} in the namespace of a "
            "camera; name the topic with --label-topic"
        )
    near = [camera for camera in cameras if label_topic.startswith(f"{camera.namespace}/")]
    return (near or cameras)[0], label_topic


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _stamp(message: Any) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec


def _ids(message: Any, topic: str, classes: int) -> NDArray[np.uint8]:
    if message.encoding not in _ID_ENCODINGS:
        raise RecordingError(f"labels are mono8; {topic} is {message.encoding}")
    rows = np.asarray(message.data).reshape(message.height, message.step)
    ids = rows[:, : message.width].copy()
    ids[ids == classes] = UNLABELLED
    wrong = ids[(ids >= classes) & (ids != UNLABELLED)]
    if wrong.size:
        raise RecordingError(
            f"{topic} holds the class id {wrong[0]}; the model has {classes} classes, 0 to "
            f"{classes - 1}, and 255 is unlabelled"
        )
    return ids
