"""One bag of a recording's parts, alone or beside the original topics."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.messages import LABEL_INFO, label_info_fields
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.recordings.definitions import definition, definition_of, serialize, types
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.pipeline import ahead
from hyperseg_ros.recordings.plan import PLAIN, Part, Storage
from hyperseg_ros.recordings.reading import Recording, Stored
from hyperseg_ros.recordings.writing import BagWriter, qos, writing_bag

_HEADER = "std_msgs/msg/Header"
_IDL = "=" * 80 + "\nIDL: "


def join(
    recording: Recording,
    parts: Sequence[Part],
    output: Path,
    cameras: Sequence[CameraTopics],
    label_info: tuple[ClassTable, float] | None,
    merge: bool = False,
    storage: Storage = PLAIN,
    origin: dict[str, Any] | None = None,
    attached: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Writes the bag of a recording whose parts are done.

    Args:
        recording: that was segmented.
        parts: its parts, in their order.
        output: folder of the bag; it appears when the bag is whole.
        cameras: whose outputs the parts have.
        label_info: the classes and the confidence floor, for `label_info`; None for none.
        merge: whether the recording's own messages are written too.
        storage: how the bag is stored.
        origin: how the bag was made, for its metadata.
        attached: called when all is read: text files for the bag's folder, by name.

    Raises:
        RecordingError: a topic of the recording has no message definition, or `output` exists.
        OSError: the bag cannot be written.
    """
    with (
        writing_bag(output, storage, json.dumps(origin) if origin else "") as bag,
        closing(ahead(_made(parts))) as made,
    ):
        copies = _Copies(bag, recording)
        streams: list[Iterator[tuple[Stored, bool]]] = [made]
        if merge:
            kept = originals(recording, cameras)
            copies.prepare(kept)
            topics = {connection.topic for connection in kept}
            streams.insert(0, ((stored, True) for stored in recording.messages(topics)))
        told: set[str] = set()
        for stored, original in heapq.merge(*streams, key=lambda item: item[0].time):
            if original:
                copies.write(stored)
                continue
            for camera in cameras if label_info and len(told) < len(cameras) else ():
                if camera.image not in told and stored.connection.topic.startswith(
                    camera.output("")
                ):
                    told.add(camera.image)
                    _write_label_info(bag, camera, stored, *label_info)  # type: ignore[misc]
            _write_made(bag, stored)
        bag.attached.update(attached())


def originals(recording: Recording, cameras: Sequence[CameraTopics]) -> list[Connection]:
    """What `merge` copies: all topics but earlier labels of the cameras, which are replaced."""
    ours = tuple(camera.output("") for camera in cameras)
    return [c for c in recording.connections if c.msgcount and not c.topic.startswith(ours)]


def check_definitions(recording: Recording, cameras: Sequence[CameraTopics]) -> None:
    """Whether the recording's own messages can be written to another bag.

    Raises:
        RecordingError: a topic has no message definition, or one that cannot be read.
    """
    _typestore(recording, originals(recording, cameras))


def _typestore(recording: Recording, connections: Sequence[Connection]) -> Any:
    known: dict[str, Any] = dict(types().fielddefs)
    for connection in connections:
        try:
            known.update(_types_in(connection))
        except Exception as error:  # rosbags has several, without a base
            raise RecordingError(
                f"{recording.path}: the definition of {connection.msgtype} cannot be read: {error}"
            ) from None
    if recording.ros1:
        known[_HEADER] = types().fielddefs[_HEADER]  # without seq
    store = get_typestore(Stores.EMPTY)
    store.register(known)
    for connection in connections:
        if connection.msgtype not in store.fielddefs:
            raise RecordingError(
                f"{recording.path} has no definition of {connection.msgtype}, the type of "
                f"{connection.topic}: leave --merge out, or convert the bag to mcap where the type "
                "is installed"
            )
    return store


def _made(parts: Sequence[Part]) -> Iterator[tuple[Stored, bool]]:
    for part in parts:
        with Recording(part.path) as made:
            for stored in made.messages():
                yield stored, False
            if made.damage:
                raise RecordingError(f"{part.path}: {made.damage}; remove it, and add --resume")


def _write_made(bag: BagWriter, stored: Stored) -> None:
    connection = stored.connection
    added = bag.add(
        connection.topic,
        connection.msgtype,
        *definition(connection.msgtype),
        [qos()],
    )
    bag.write(added, stored.time, stored.data)


def _write_label_info(
    bag: BagWriter, camera: CameraTopics, first: Stored, classes: ClassTable, floor: float
) -> None:
    sec, nanosec = divmod(first.time, 10**9)
    fields = {
        "header": {"stamp": {"sec": sec, "nanosec": nanosec}, "frame_id": ""},
        **label_info_fields(classes, floor),
    }
    topic = camera.output("label_info")
    added = bag.add(topic, LABEL_INFO, *definition(LABEL_INFO), [qos(latched=True)])
    bag.write(added, first.time, serialize(LABEL_INFO, fields))


class _Copies:
    """Writes messages of the recording as they are, those of ROS 1 as ROS 2 serializes them."""

    def __init__(self, bag: BagWriter, recording: Recording) -> None:
        self._bag = bag
        self._recording = recording
        self._store: Any = None
        self._added: dict[tuple[str, str], Connection] = {}

    def prepare(self, connections: Sequence[Connection]) -> None:
        """Adds the topics."""
        self._store = _typestore(self._recording, connections)
        for connection in connections:
            kind = connection.msgtype
            profiles = getattr(connection.ext, "offered_qos_profiles", None)
            latched = bool(getattr(connection.ext, "latching", False))
            self._added[connection.topic, kind] = self._bag.add(
                connection.topic,
                kind,
                *definition_of(self._store, kind),
                list(profiles or [qos(latched)]),
            )

    def write(self, stored: Stored) -> None:
        kind = stored.connection.msgtype
        data: bytes | memoryview = stored.data
        if self._recording.ros1:
            data = self._store.ros1_to_cdr(data, kind)
        self._bag.write(self._added[stored.connection.topic, kind], stored.time, data)


def _types_in(connection: Connection) -> dict[str, Any]:
    """The types that a recording defines with a topic."""
    text, found = connection.msgdef.data, {}
    if connection.msgdef.format == MessageDefinitionFormat.MSG:
        found = dict(get_types_from_msg(text, connection.msgtype))
    elif connection.msgdef.format == MessageDefinitionFormat.IDL:
        for part in text.split(_IDL)[1:] if text.startswith(_IDL) else [f"\n{text}"]:
            found.update(get_types_from_idl(part.partition("\n")[2]))
    return found
