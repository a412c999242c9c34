"""What a frame's outputs depend on: colours, masks, confidence floor, size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.topics import class_tokens, topic_token

EVERYTHING = "*"
"""Stands for all names where some may be listed."""


@dataclass(frozen=True)
class FrameSettings:
    """All that is made of a frame follows these."""

    palette: NDArray[np.uint8]
    """RGB colour of each class id, uint8 [256, 3]."""
    masks: Mapping[str, NDArray[np.uint8]]
    """By topic, such as mask/road: 255 for the class ids in the mask, else 0, uint8 [256]."""
    overlay_opacity: float = 0.5
    """Weight of the class colours in the overlay, 0 to 1."""
    min_confidence: float = 0.0
    """Pixels of a lower confidence, 0 to 1, are unlabelled."""
    at_input_size: bool = False
    """Whether outputs have the size of the network's input, not that of the image."""

    @property
    def confidence_floor(self) -> int:
        """The least confidence, 0 to 255, of a pixel that keeps its label."""
        return math.ceil(self.min_confidence * 255)


def palette(
    classes: ClassTable, colors: Iterable[tuple[str, Sequence[int]]] = ()
) -> NDArray[np.uint8]:
    """RGB colour of each class id, uint8 [256, 3].

    Args:
        classes: the model's.
        colors: by class name, what to take instead of the table's: red, green, blue, 0 to 255.

    Raises:
        ValueError: there is no such class, or no such colour; the text names `palette.<name>`.
    """
    table = classes.palette()
    for name, color in colors:
        index = _class_id(f"palette.{name}", name, classes)
        if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
            raise ValueError(
                f"palette.{name}: a colour is [red, green, blue], each from 0 to 255, not "
                f"{list(color)}"
            )
        table[index] = color
    return table


def masks(
    classes: ClassTable,
    mask_classes: Iterable[str] = (EVERYTHING,),
    mask_groups: Iterable[tuple[str, Iterable[str]]] = (),
) -> dict[str, NDArray[np.uint8]]:
    """The masks by topic: 255 for the class ids in the mask, else 0, uint8 [256].

    Args:
        classes: the model's.
        mask_classes: classes with a mask of their own; `EVERYTHING` for all.
        mask_groups: by name, classes that share a mask.

    Raises:
        ValueError: there is no such class, or two masks would share a topic; the text names
            `mask_classes` or `mask_groups.<name>`.
    """
    names = [name for name in mask_classes if name]
    if EVERYTHING in names:
        names = list(classes.names)
    tokens = class_tokens(classes.names)
    members: list[tuple[str, str, str, tuple[str, ...]]] = [
        ("mask_classes", name, tokens.get(name, ""), (name,)) for name in sorted(set(names))
    ]
    members += [
        (f"mask_groups.{name}", name, topic_token(name), tuple(filter(None, group)))
        for name, group in mask_groups
    ]
    tables: dict[str, NDArray[np.uint8]] = {}
    for parameter, name, token, group in members:
        table = np.zeros(256, np.uint8)
        table[[_class_id(parameter, member, classes) for member in group]] = 255
        topic = f"mask/{token}"
        if topic in tables:
            raise ValueError(
                f"{parameter}: {name!r} would share the topic {topic} with another mask; "
                "rename the group, or leave one of them out"
            )
        tables[topic] = table
    return tables


def _class_id(parameter: str, name: str, classes: ClassTable) -> int:
    try:
        return classes.index(name)
    except ValueError as error:
        raise ValueError(f"{parameter}: {error}") from None
