"""The names of a camera's topics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_COMPRESSED = "/compressed"

DEFAULT = "default"
"""The entry of a table by image topic for the cameras without one of their own."""


@dataclass(frozen=True)
class CameraTopics:
    """The names that follow from the topic of a camera's images, `<ns>/<image>`."""

    image: str
    """The topic that is subscribed to, fully resolved."""

    @property
    def compressed(self) -> bool:
        """Whether its name is one that image_transport gives to sensor_msgs/CompressedImage."""
        return self.image.endswith(_COMPRESSED)

    @property
    def namespace(self) -> str:
        """`<ns>`; empty for a topic in the root."""
        image = self.image[: -len(_COMPRESSED)] if self.compressed else self.image
        return image.rpartition("/")[0]

    @property
    def rectified(self) -> bool:
        """Whether its name is one that image_proc gives to rectified images."""
        image = self.image[: -len(_COMPRESSED)] if self.compressed else self.image
        return "rect" in image.rpartition("/")[2]

    @property
    def camera_info(self) -> str:
        """Where the camera's driver publishes its calibration."""
        return f"{self.namespace}/camera_info"

    def output(self, name: str) -> str:
        """The topic of the output called `name`."""
        return f"{self.namespace}/segmentation/{name}"


def name_cameras(image_topics: Iterable[str]) -> list[CameraTopics]:
    """The topics of each camera, from the resolved topics of their images.

    Raises:
        ValueError: a topic is listed twice, or two cameras would publish under one namespace.
    """
    cameras: dict[str, CameraTopics] = {}
    for topics in map(CameraTopics, image_topics):
        if topics in cameras.values():
            raise ValueError(f"image_topics lists {topics.image} twice")
        other = cameras.setdefault(topics.namespace, topics)
        if other is not topics:
            raise ValueError(
                f"{other.image} and {topics.image} would both publish under "
                f"{topics.output('')}: give each camera a namespace of its own"
            )
    return list(cameras.values())


def class_tokens(names: Sequence[str]) -> dict[str, str]:
    """Each class's level of a topic name: its `topic_token`, where no other class has the same.

    Classes whose names differ in what a topic cannot have are told apart by their ids: "道路" is
    "class_0", and "traffic light" beside "traffic-light" is "traffic_light_1".
    """
    own = [topic_token(name) for name in names]
    taken = set(own)
    tokens = {}
    for index, (name, token) in enumerate(zip(names, own)):
        if own.count(token) > 1 or token == "_":
            token = f"{'class' if token == '_' else token}_{index}"
            while token in taken:
                token += "_"
            taken.add(token)
        tokens[name] = token
    return tokens


def topic_token(name: str) -> str:
    """`name` as one level of a topic name: "traffic light" becomes "traffic_light"."""
    token = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return f"_{token}" if not token or token[0].isdigit() else token
