"""The message types that are written, for `rosbags`: the node's, without a ROS installation."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.runtime.share_folders import share_folders

# As of vision_msgs 4.1, on Humble, Jazzy, Kilted and Lyrical.
_VISION_MSGS = {
    "vision_msgs/msg/VisionClass": "uint16 class_id\nstring class_name\n",
    "vision_msgs/msg/LabelInfo": (
        "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold\n"
    ),
}
_OURS = ("ClassMask", "ClassMasks")


@functools.cache
def types() -> Any:
    """The typestore of `rosbags` with all that is written, as on ROS 2 Jazzy.

    Raises:
        RecordingError: our message definitions are not installed.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    texts = dict(_VISION_MSGS)
    for name in _OURS:
        texts[f"hyperseg_ros/msg/{name}"] = _text(name)
    for kind, text in texts.items():
        store.register(get_types_from_msg(text, kind))
    return store


@functools.cache
def definition(kind: str) -> tuple[str, str]:
    """The text and the hash, RIHS01, of a message type that is written."""
    return definition_of(types(), kind)


def definition_of(typestore: Any, kind: str) -> tuple[str, str]:
    """The text and the hash of a message type that a typestore of `rosbags` knows."""
    text, _ = typestore.generate_msgdef(kind, ros_version=2)
    return text, typestore.hash_rihs01(kind)


def build(kind: str, fields: Mapping[str, Any]) -> Any:
    """A message that can be serialized, of plain values, dictionaries for messages inside it.

    Args:
        kind: such as sensor_msgs/msg/Image.
        fields: by the names of the definition; a message that is one already stays as it is.
    """
    _, definition = types().fielddefs[kind]
    return types().types[kind](**{name: _value(desc, fields[name]) for name, desc in definition})


def serialize(kind: str, fields: Mapping[str, Any]) -> bytes | memoryview:
    """A message as DDS carries it: CDR, filled up to whole words."""
    data: memoryview = types().serialize_cdr(build(kind, fields), kind)
    return data if len(data) % 4 == 0 else bytes(data) + bytes(-len(data) % 4)


def _value(description: Any, value: Any) -> Any:
    node, details = description
    if node == Nodetype.NAME and isinstance(value, Mapping):
        return build(details, value)
    if node in (Nodetype.SEQUENCE, Nodetype.ARRAY) and details[0][0] == Nodetype.NAME:
        return [_value(details[0], item) for item in value]
    return value


def _text(name: str) -> str:
    for folder in share_folders("msg"):
        file = folder / f"{name}.msg"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise RecordingError(f"the message definition {name}.msg of hyperseg_ros is not installed")
