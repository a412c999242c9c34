"""The frames of a recording that have labels in it: to measure a model on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.frames.messages import IMAGE
from hyperseg_ros.frames.pixels import to_bgr
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.lazy_sequence import LazySequence
from hyperseg_ros.recordings.cameras import find_cameras
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.reading import Recording

TRUTHS = ("ground_truth", "label", "labels")
"""Names of label topics in a camera's namespace, the first that is there counts."""
_ID_ENCODINGS = ("mono8", "8UC1")


Stamp = tuple[int, int]
"""Seconds and nanoseconds."""


@dataclass(frozen=True)
class LabelledFrames:
    """Images, and labels with the same stamp; each is decoded when it is looked at.

    Attributes:
        images: RGB, uint8 [H, W, 3] each.
        labels: class ids, `UNLABELLED` where there is none, uint8 [H, W] each.
        names: topic and stamp of each.
    """

    images: Sequence[NDArray[np.uint8]]
    labels: Sequence[NDArray[np.uint8]]
    names: list[str]


def find_labelled(
    recording: Recording, label_topic: str = "", classes: int = 255
) -> LabelledFrames:
    """The labelled frames of a recording, all of which are looked at once.

    Args:
        recording: stays open as long as frames are wanted.
        label_topic: Image mono8 of class ids, with the headers of a camera's images; empty for a
            topic of `TRUTHS` in a camera's namespace.
        classes: number of classes; 255 and that number are unlabelled.

    Raises:
        RecordingError: there are no such topics, no stamps are equal, or an id is no class.
    """
    camera, topic = _find(recording, label_topic)

    def ids(message: Any) -> NDArray[np.uint8]:
        return _ids(message, topic, classes)

    truths: dict[Stamp, tuple[int, tuple[int, ...]]] = {}
    for stored in recording.messages([topic]):
        message = recording.decode(stored)
        truths[_stamp(message)] = stored.time, ids(message).shape
    images, labels = [], []
    for stored in recording.messages([camera.image]):
        message = recording.decode(stored)
        stamp = _stamp(message)
        if stamp not in truths:
            continue
        time, shape = truths[stamp]
        found = to_bgr(message).shape[:2]
        if found != shape:
            raise RecordingError(
                f"{recording.path}: labels of {topic} are {shape[1]} x {shape[0]}, images of "
                f"{camera.image} {found[1]} x {found[0]}"
            )
        images.append((stored.time, stamp))
        labels.append((time, stamp))
    if not images:
        raise RecordingError(
            f"{recording.path}: no image of {camera.image} has the stamp of a message of {topic}"
        )
    return LabelledFrames(
        LazySequence(images, lambda place: _rgb(_message(recording, camera.image, *place))),
        LazySequence(labels, lambda place: ids(_message(recording, topic, *place))),
        ["{} {}.{:09}".format(camera.image, *stamp) for _, stamp in images],
    )


def _message(recording: Recording, topic: str, time: int, stamp: Stamp) -> Any:
    """The message of a topic that was received at a time, nanoseconds, with a stamp."""
    for stored in recording.messages([topic], time, time + 1):
        message = recording.decode(stored)
        if _stamp(message) == stamp:
            return message
    raise RecordingError(f"{recording.path} has changed since it was opened")


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


def _stamp(message: Any) -> Stamp:
    return message.header.stamp.sec, message.header.stamp.nanosec


def _rgb(message: Any) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(to_bgr(message), cv2.COLOR_BGR2RGB), np.uint8)


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
