"""Which topics of a recording are the cameras that are to be segmented."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyperseg_ros.frames.messages import COMPRESSED_IMAGE, IMAGE
from hyperseg_ros.frames.pixels import to_bgr
from hyperseg_ros.frames.topics import CameraTopics, name_cameras
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.label_images import is_named_as_labels, shows_labels
from hyperseg_ros.recordings.reading import Recording, Topic

_DISTANCES = ("16UC1", "32FC1")
_COMPRESSED = "/compressed"
_LOOKS = 4
"""Images of a topic that have to look like labels, at equal distances in time."""
_VIDEO = ("CompressedVideo", "FFMPEGPacket", "theora_image_transport")


@dataclass(frozen=True)
class Choice:
    """The cameras of a recording, and which of its image topics are none."""

    cameras: tuple[CameraTopics, ...]
    left_out: Mapping[str, str]
    """By topic, what it holds."""


def find_cameras(
    recording: Recording, wanted: Sequence[str] = (), without: Sequence[str] = ()
) -> tuple[CameraTopics, ...]:
    """The cameras of a recording; see `choose_cameras`."""
    return choose_cameras(recording, wanted, without).cameras


def choose_cameras(
    recording: Recording, wanted: Sequence[str] = (), without: Sequence[str] = ()
) -> Choice:
    """The cameras of a recording, and what was not taken for one.

    Without names, all topics of images are taken but those of distances or labels, the outputs of a
    segmentation node, and the compressed form of what is there raw as well.

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
    names, left_out = list(wanted), {}
    if not names:
        found = [topic for topic in images.values() if _holds_images(topic, images)]
        left_out = {t.name: holds for t in found if (holds := _instead_of_pictures(recording, t))}
        names = [topic.name for topic in found if topic.name not in left_out]
    if not names:
        raise RecordingError(_no_camera(recording, left_out))
    try:
        return Choice(tuple(name_cameras(names)), left_out)
    except ValueError as error:
        raise RecordingError(f"{recording.path}: {error}; or name one with --topics") from None


def tell_left_out(left_out: Mapping[str, str]) -> str:
    """The topics that are no cameras, for people."""
    listed = ", ".join(f"{topic} ({holds})" for topic, holds in left_out.items())
    return f"not taken for cameras: {listed}; to take one, name it among all with --topics"


def _holds_images(topic: Topic, images: Mapping[str, Topic]) -> bool:
    """Whether it has messages, and not those of another topic, compressed."""
    raw = images.get(topic.name.removesuffix(_COMPRESSED))
    twin = topic.name.endswith(_COMPRESSED) and raw is not None and raw.messages > 0
    return topic.messages > 0 and not twin


def _instead_of_pictures(recording: Recording, topic: Topic) -> str:
    """What a topic of images holds that is no camera's; empty for a camera's."""
    if "/segmentation/" in topic.name:
        return "from a segmentation node"
    message = _first(recording, topic)
    if message is None:
        return ""  # it is counted as a bad image when its turn comes
    kind = message.encoding if topic.type == IMAGE else message.format
    if kind in _DISTANCES or "compressedDepth" in kind:
        return f"distances, {kind}"
    named_as_labels = is_named_as_labels(topic.name)
    # A camera may begin in the dark; labels look like labels at any time.
    start, stop = recording.span
    for share in range(_LOOKS):
        seen = _first(recording, topic, start + (stop - start) * share // _LOOKS)
        if seen is None:
            continue
        try:
            if not shows_labels(to_bgr(seen), named_as_labels):
                return ""
        except ValueError:
            return ""
    return "labels or masks"


def _first(recording: Recording, topic: Topic, start: int | None = None) -> Any:
    """The first message from a time on; None where there is none, or its bytes are none."""
    stored = next(recording.messages([topic.name], start), None)
    try:
        return None if stored is None else recording.decode(stored)
    except RecordingError:
        return None


def _no_such_topic(recording: Recording, name: str, images: list[str]) -> str:
    near = difflib.get_close_matches(name, images, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    found = ", ".join(images) or "none"
    return f"{recording.path} has no image topic {name}: {hint}Its image topics are: {found}"


def _no_camera(recording: Recording, left_out: Mapping[str, str]) -> str:
    if left_out:
        return f"{recording.path} has no camera: {tell_left_out(left_out)}"
    topics = [f"{topic.name} ({topic.type})" for topic in recording.topics]
    videos = [t.name for t in recording.topics if any(kind in t.type for kind in _VIDEO)]
    text = f"{recording.path} has no image topic; its topics are: {', '.join(topics) or 'none'}"
    if videos:
        text += (
            f"; {', '.join(videos)} is compressed video, which is not decoded here: republish it "
            "as images first"
        )
    return text
