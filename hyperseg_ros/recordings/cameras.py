"""Which topics of a recording are the cameras that are to be segmented."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from hyperseg_ros.frames.topics import CameraTopics, name_cameras
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.reading import COMPRESSED_IMAGE, IMAGE, Recording, Topic

_DISTANCES = ("16UC1", "32FC1")
_COMPRESSED = "/compressed"
_VIDEO = ("CompressedVideo", "FFMPEGPacket", "theora_image_transport")


def find_cameras(
    recording: Recording, wanted: Sequence[str] = (), without: Sequence[str] = ()
) -> list[CameraTopics]:
    """The cameras of a recording.

    Without names, all topics of images are taken but depth images, the outputs of a segmentation
    node, and the compressed form of what is there raw as well.

    Args:
        recording: open.
        wanted: names of image topics; empty for those that are found.
        without: names of topics that are not cameras.

    Raises:
        RecordingError: there are none, a name is wrong, or two would have the same outputs.
    """
    images = {
        topic.name: topic
        for topic in recording.topics
        if topic.type in (IMAGE, COMPRESSED_IMAGE) and topic.name not in without
    }
    for name in wanted:
        if name not in images:
            raise RecordingError(_no_such_topic(recording, name, list(images)))
    names = list(wanted) or [t.name for t in images.values() if _is_camera(recording, t, images)]
    if not names:
        raise RecordingError(_no_camera(recording))
    try:
        return name_cameras(names)
    except ValueError as error:
        raise RecordingError(f"{recording.path}: {error}; or name one with --topics") from None


def _is_camera(recording: Recording, topic: Topic, images: dict[str, Topic]) -> bool:
    if not topic.messages or "/segmentation/" in topic.name:
        return False
    raw = images.get(topic.name.removesuffix(_COMPRESSED))
    if topic.name.endswith(_COMPRESSED) and raw is not None and raw.messages:
        return False
    first = next(recording.messages([topic.name]), None)
    if first is None:
        return False
    try:
        message = recording.decode(first)
    except RecordingError:
        return True  # it is counted as a bad image when its turn comes
    if topic.type == IMAGE:
        return message.encoding not in _DISTANCES
    return "compressedDepth" not in message.format


def _no_such_topic(recording: Recording, name: str, images: list[str]) -> str:
    near = difflib.get_close_matches(name, images, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    found = ", ".join(images) or "none"
    return f"{recording.path} has no image topic {name}: {hint}Its image topics are: {found}"


def _no_camera(recording: Recording) -> str:
    topics = [f"{topic.name} ({topic.type})" for topic in recording.topics]
    videos = [t.name for t in recording.topics if any(kind in t.type for kind in _VIDEO)]
    text = f"{recording.path} has no image topic; its topics are: {', '.join(topics) or 'none'}"
    if videos:
        text += (
            f"; {', '.join(videos)} is compressed video, which is not decoded here: republish it "
            "as images first"
        )
    return text
