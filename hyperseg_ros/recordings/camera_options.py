"""What is asked for cameras one by one: by image topic, or by `DEFAULT` for all others."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from hyperseg_ros.frames.body_mask import BodyMask
from hyperseg_ros.frames.ground_settings import mount
from hyperseg_ros.frames.region import Region
from hyperseg_ros.frames.topics import DEFAULT, CameraTopics
from hyperseg_ros.geometry import Pose
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.plan import Options

Value = TypeVar("Value")
Otherwise = TypeVar("Otherwise")


def mounts(options: Options) -> dict[str, Pose]:
    """Where cameras are above the ground.

    Raises:
        ValueError: a pose cannot be.
    """
    return {camera: mount(numbers) for camera, numbers in options.mounts}


def regions(options: Options) -> dict[str, Region]:
    """The parts of images that the network sees.

    Raises:
        ValueError: a region cannot be.
    """
    return {camera: Region.of(numbers) for camera, numbers in options.regions}


def body_masks(options: Options) -> dict[str, BodyMask]:
    """Where images show the robot itself.

    Raises:
        ValueError: a file cannot be read.
    """
    return {camera: BodyMask.read(path) for camera, path in options.body_masks}


def of_camera(
    values: Mapping[str, Value], camera: CameraTopics, otherwise: Otherwise
) -> Value | Otherwise:
    """The value of a camera; `otherwise` where there is none for it, and none for all others."""
    return values.get(camera.image, values.get(DEFAULT, otherwise))


def check_names(options: Options, recording: Path, cameras: Sequence[str]) -> None:
    """Check that what is asked for single cameras is asked for cameras of the recording.

    Args:
        options: what is asked for.
        recording: for messages.
        cameras: its image topics that are segmented.

    Raises:
        RecordingError: there is no such camera; the nearest one is named.
    """
    asked = {
        "--mount": options.mounts,
        "--region": options.regions,
        "--body-mask": options.body_masks,
    }
    for option, entries in asked.items():
        for topic, _ in entries:
            if topic not in (*cameras, DEFAULT):
                near = difflib.get_close_matches(topic, cameras, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise RecordingError(
                    f"{option}: {recording} has no camera {topic}: {hint}Its cameras are "
                    f"{', '.join(cameras)}"
                )
