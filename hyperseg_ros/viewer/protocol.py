"""The messages between a page and the viewer over the WebSocket.

From a page come short JSON texts:

    {"type": "watch", "camera": "/front/image_raw"}   send pictures of this camera; null: of none
      with "scan": true, its free space too
    {"type": "drawn", "frame": 7}                     this picture and those before it are shown
    {"type": "image", "frame": 7}                     send the image of this one without loss

To a page go JSON texts, of type `hello`, `state`, `scan` and `error`, and binary pictures: the
length of a JSON header (uint32, little-endian), the header, and the parts whose lengths the header
names.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import LaserScan

from hyperseg_ros.viewer.picture import EncodedPicture, Picture

MAX_MESSAGE = 1024
"""Bytes of a message from a page at most."""


class ProtocolError(ValueError):
    """An invalid message; the text says what is wrong with it."""


@dataclass(frozen=True)
class Watch:
    """Pictures of this camera are wanted, or of none."""

    camera: str | None
    scan: bool = False
    """Whether its free space is wanted too."""


@dataclass(frozen=True)
class Drawn:
    """A picture is on screen: the next one may be sent."""

    frame: int


@dataclass(frozen=True)
class WantImage:
    """The image of a picture is wanted without loss."""

    frame: int


Request = Watch | Drawn | WantImage


def parse_request(text: str) -> Request:
    """Parses a message from a page.

    Raises:
        ProtocolError: it is not one of the messages above.
    """
    if len(text) > MAX_MESSAGE:
        raise ProtocolError(f"a message of {len(text)} characters, more than {MAX_MESSAGE}")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError(f"not JSON: {_excerpt(text)}") from None
    if not isinstance(message, dict):
        raise ProtocolError(f"not a JSON object: {_excerpt(text)}")
    kind = message.get("type")
    if kind == "watch":
        camera = message.get("camera")
        if camera is not None and not isinstance(camera, str):
            raise ProtocolError(f"the camera is not a topic: {_excerpt(text)}")
        return Watch(camera, message.get("scan") is True)
    if kind in ("drawn", "image"):
        frame = message.get("frame")
        if not isinstance(frame, int) or isinstance(frame, bool):
            raise ProtocolError(f"the frame is not a number: {_excerpt(text)}")
        return Drawn(frame) if kind == "drawn" else WantImage(frame)
    raise ProtocolError(f"no such message: {_excerpt(text)}")


def hello(version: str, local: bool, max_rate: float) -> str:
    """The first message: who serves the page, and to whom."""
    return _text(type="hello", version=version, local=local, max_rate=max_rate)


def state(cameras: Mapping[str, Any]) -> str:
    """The state of all cameras, as `ViewerNode.look` returns it, once a second."""
    return _text(type="state", cameras=cameras)


def error(text: str) -> str:
    """Why a request cannot be met."""
    return _text(type="error", text=text)


def scan(camera: str, scan: LaserScan) -> str:
    """Free space: ranges in metres, -1 where the ground goes on to `range_max`, 0 for something
    nearer than the image shows, null where it is unknown (REP 117)."""
    return _text(
        type="scan",
        camera=camera,
        angle_min=scan.angle_min,
        angle_increment=scan.angle_increment,
        range_max=scan.range_max,
        ranges=[_range(value) for value in scan.ranges],
    )


def _range(value: float) -> float | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return -1 if value > 0 else 0
    return round(max(value, 0.0), 2)


def picture_message(camera: str, picture: Picture, encoded: EncodedPicture) -> bytes:
    """A picture for the screen: JPEG and PNG follow the header."""
    header = {
        "type": "picture",
        "camera": camera,
        "frame": picture.number,
        "stamp": picture.stamp,
        "parts": [len(encoded.jpeg), len(encoded.png)],
        "shares": encoded.shares,
    }
    return _binary(header, encoded.jpeg, encoded.png)


def image_message(frame: int, png: bytes) -> bytes:
    """A camera image without loss."""
    return _binary({"type": "image", "frame": frame, "parts": [len(png)]}, png)


def _text(**fields: Any) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _binary(header: Mapping[str, Any], *parts: bytes) -> bytes:
    text = _text(**header).encode()
    return b"".join((struct.pack("<I", len(text)), text, *parts))


def _excerpt(text: str) -> str:
    """A piece of what came, harmless in a log."""
    return ascii(text if len(text) <= 80 else f"{text[:80]}...")
