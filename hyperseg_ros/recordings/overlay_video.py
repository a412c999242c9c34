"""A segmented recording as a video for people: the camera's images under the class colours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.pixels import to_bgr
from hyperseg_ros.frames.settings import palette
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.recordings.cameras import find_cameras
from hyperseg_ros.recordings.plan import Options
from hyperseg_ros.recordings.reading import Recording, Stored
from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.runtime.model_file import find_model, read_card
from hyperseg_ros.runtime.video_files import FALLBACK_RATE, VideoWriter


def write_overlay_videos(source: Path, bag: Path, options: Options) -> list[Path]:
    """Write a video of each camera of a segmented recording into the bag's folder.

    Args:
        source: the recording.
        bag: the segmented recording, with labels.
        options: how it was segmented.

    Raises:
        RecordingError: a recording cannot be read.
        OSError: a video cannot be written.
    """
    classes = read_card(find_model(options.model)).classes
    written = []
    with Recording(source) as recording, Recording(bag) as segmented:
        for camera in find_cameras(recording, options.topics):
            name = camera.namespace.strip("/").replace("/", "_") or "camera"
            path = bag / f"{name}_overlay.mp4"
            opacity = options.overlay_opacity
            if write_overlay_video(recording, segmented, camera, path, classes, opacity):
                written.append(path)
    return written


def write_overlay_video(
    recording: Recording,
    segmented: Recording,
    camera: CameraTopics,
    path: Path,
    classes: ClassTable,
    opacity: float = 0.5,
) -> int:
    """Write the frames of a camera that have labels.

    Args:
        recording: with the images.
        segmented: with the labels that were made of them, each at its image's receive time.
        camera: of both.
        path: of the video, .mp4 or .avi.
        classes: of the labels.
        opacity: of the colours, 0 to 1.

    Returns:
        The number of frames; with none no file is written.

    Raises:
        OSError: the video cannot be written.
    """
    colors = palette(classes)
    frames = (
        _draw(to_bgr(recording.decode(image)), segmented.decode(label), colors, opacity)
        for image, label in _pairs(
            recording.messages([camera.image]), segmented.messages([camera.output("label")])
        )
    )
    first = next(frames, None)
    if first is None:
        return 0
    written = 0
    size = first.shape[1], first.shape[0]
    with VideoWriter(path, _rate(segmented, camera), size) as writer:
        for frame in itertools.chain([first], frames):
            if frame.shape == first.shape:  # a video has one size
                writer.write(frame)
                written += 1
    return written


def _pairs(images: Iterator[Stored], labels: Iterator[Stored]) -> Iterator[tuple[Stored, Stored]]:
    """Images and labels that were received at the same time; both are in order."""
    label = next(labels, None)
    for image in images:
        while label is not None and label.time < image.time:
            label = next(labels, None)
        if label is not None and label.time == image.time:
            yield image, label
            label = next(labels, None)


def _rate(segmented: Recording, camera: CameraTopics) -> float:
    """Labels a second."""
    name = camera.output("label")
    count = sum(topic.messages for topic in segmented.topics if topic.name == name)
    start, stop = segmented.span
    return (count - 1) / ((stop - start) / 1e9) if count > 1 else FALLBACK_RATE


def _draw(
    image: NDArray[np.uint8], label: Any, colors: NDArray[np.uint8], opacity: float
) -> NDArray[np.uint8]:
    """The colours of the labels over an image, BGR, at the size of the labels."""
    ids = label.data.reshape(label.height, label.width)
    if image.shape[:2] != ids.shape:
        image = np.asarray(cv2.resize(image, ids.shape[::-1], interpolation=cv2.INTER_AREA))
    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    drawn = np.empty_like(rgb)
    overlay(rgb, colorize(ids, colors), opacity, drawn)
    return np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), np.uint8)
