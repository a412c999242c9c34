"""What the parameters mean for the model and the cameras at hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.node.declared_parameters import ParameterError, nearest
from hyperseg_ros.node.diagnostics import Limits
from hyperseg_ros.node.parameters import EVERYTHING, Parameters
from hyperseg_ros.node.region import WHOLE, Region
from hyperseg_ros.node.topics import CameraTopics, class_tokens, topic_token

DEFAULT_REGION = "default"
"""The entry of `regions_of_interest` for the cameras without one of their own."""


@dataclass(frozen=True)
class Settings:
    """All that a frame's outputs depend on, exchanged as a whole when a parameter changes."""

    palette: NDArray[np.uint8]
    """RGB colour of each class id, uint8 [256, 3]."""
    masks: Mapping[str, NDArray[np.uint8]]
    """By topic, such as mask/road: 255 for the class ids in the mask, else 0, uint8 [256]."""
    overlay_opacity: float
    min_confidence: float
    confidence_floor: int
    """`min_confidence` as the least confidence, 0 to 255, of a pixel that keeps its label."""
    at_input_size: bool
    """Whether outputs have the size of the network's input."""
    max_rate: float
    """Frames a second of a camera; 0 for all."""
    regions: Mapping[str, Region]
    """By image topic."""
    limits: Limits


def settle(
    parameters: Parameters,
    classes: ClassTable,
    cameras: Sequence[CameraTopics],
    resolve: Callable[[str], str],
) -> Settings:
    """The settings that follow from the parameters.

    Args:
        parameters: of the node.
        classes: of the model.
        cameras: the node's.
        resolve: makes a topic name a fully qualified one.

    Raises:
        ParameterError: a parameter names a class or camera that there is not (the nearest one is
            named), or has an impossible value.
    """
    return Settings(
        palette=_palette(parameters, classes),
        masks=_masks(parameters, classes),
        overlay_opacity=parameters.overlay_opacity,
        min_confidence=parameters.min_confidence,
        confidence_floor=math.ceil(parameters.min_confidence * 255),
        at_input_size=parameters.label_resolution == "network",
        max_rate=parameters.max_rate,
        regions=_regions(parameters, [topics.image for topics in cameras], resolve),
        limits=Limits(parameters.stale_after, parameters.min_rate, parameters.max_latency),
    )


def _class_id(parameter: str, name: str, classes: ClassTable) -> int:
    try:
        return classes.index(name)
    except ValueError as error:
        raise ParameterError(f"{parameter}: {error}") from None


def _palette(parameters: Parameters, classes: ClassTable) -> NDArray[np.uint8]:
    palette = classes.palette()
    for name, color in parameters.palette:
        index = _class_id(f"palette.{name}", name, classes)
        if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
            raise ParameterError(
                f"palette.{name}: a colour is [red, green, blue], each from 0 to 255, not "
                f"{list(color)}"
            )
        palette[index] = color
    return palette


def _masks(parameters: Parameters, classes: ClassTable) -> dict[str, NDArray[np.uint8]]:
    names = [name for name in parameters.mask_classes if name]
    if EVERYTHING in names:
        names = list(classes.names)
    tokens = class_tokens(classes.names)
    members: list[tuple[str, str, str, tuple[str, ...]]] = [
        ("mask_classes", name, tokens.get(name, ""), (name,)) for name in sorted(set(names))
    ]
    members += [
        (f"mask_groups.{name}", name, topic_token(name), tuple(filter(None, group)))
        for name, group in parameters.mask_groups
    ]
    masks: dict[str, NDArray[np.uint8]] = {}
    for parameter, name, token, group in members:
        table = np.zeros(256, np.uint8)
        table[[_class_id(parameter, member, classes) for member in group]] = 255
        topic = f"mask/{token}"
        if topic in masks:
            raise ParameterError(
                f"{parameter}: {name!r} would share the topic {topic} with another mask; "
                "rename the group, or leave one of them out"
            )
        masks[topic] = table
    return masks


def _regions(
    parameters: Parameters, images: Sequence[str], resolve: Callable[[str], str]
) -> dict[str, Region]:
    given: dict[str, Region] = {}
    for name, numbers in parameters.regions_of_interest:
        parameter = f"regions_of_interest.{name}"
        try:
            topic = name if name == DEFAULT_REGION else resolve(name)
        except ValueError as error:
            raise ParameterError(f"{parameter}: {error}") from None
        if topic != DEFAULT_REGION and topic not in images:
            raise ParameterError(
                f"{parameter}: {nearest(topic, images)}"
                f"The cameras are {', '.join(images)}; '{DEFAULT_REGION}' is for all others"
            )
        try:
            given[topic] = Region.of(numbers)
        except ValueError as error:
            raise ParameterError(f"{parameter}: {error}") from None
    default = given.get(DEFAULT_REGION, WHOLE)
    return {image: given.get(image, default) for image in images}
