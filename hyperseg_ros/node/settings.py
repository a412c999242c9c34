"""What the parameters mean for the model and the cameras at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.free_space import GroundSettings
from hyperseg_ros.frames.ground_settings import ground_settings as frame_ground_settings
from hyperseg_ros.frames.pixels import Reading
from hyperseg_ros.frames.region import WHOLE, Region
from hyperseg_ros.frames.settings import FrameSettings, masks, palette
from hyperseg_ros.frames.topics import DEFAULT, CameraTopics
from hyperseg_ros.node.declared_parameters import ParameterError, nearest
from hyperseg_ros.node.diagnostics import Limits
from hyperseg_ros.node.parameters import Parameters

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Settings:
    """What the parameters say of the cameras, exchanged as a whole when one changes."""

    frame: FrameSettings
    """What every frame's outputs depend on."""
    max_rate: float
    """Frames a second of a camera; 0 for all."""
    regions: Mapping[str, Region]
    """By image topic."""
    limits: Limits
    reading: Reading
    """How images are read."""
    temporal_filter: float
    """The share of the past that the temporal filter keeps; 0 for no filter."""


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
    try:
        frame = FrameSettings(
            palette=palette(classes, parameters.palette),
            masks=masks(classes, parameters.mask_classes, parameters.mask_groups),
            overlay_opacity=parameters.overlay_opacity,
            min_confidence=parameters.min_confidence,
            at_input_size=parameters.label_resolution == "network",
        )
    except ValueError as error:
        raise ParameterError(str(error)) from None
    return Settings(
        frame=frame,
        max_rate=parameters.max_rate,
        regions=_regions(parameters, [topics.image for topics in cameras], resolve),
        limits=Limits(parameters.stale_after, parameters.min_rate, parameters.max_latency),
        temporal_filter=parameters.temporal_filter,
        reading=Reading(parameters.max_pixels, _range(parameters.range_16bit)),
    )


def _range(numbers: Sequence[int]) -> tuple[int, int]:
    if len(numbers) != 2 or numbers[0] >= numbers[1]:
        raise ParameterError(
            f"range_16bit {list(numbers)}: it must be [black, white], two values with the smaller "
            "one first"
        )
    return numbers[0], numbers[1]


def _regions(
    parameters: Parameters, images: Sequence[str], resolve: Callable[[str], str]
) -> dict[str, Region]:
    given = by_camera(
        "regions_of_interest", parameters.regions_of_interest, Region.of, images, resolve
    )
    default = given.get(DEFAULT, WHOLE)
    return {image: given.get(image, default) for image in images}


def by_camera(
    table: str,
    entries: Iterable[tuple[str, Given]],
    make: Callable[[Given], Made],
    images: Sequence[str],
    resolve: Callable[[str], str],
) -> dict[str, Made]:
    """What a table of parameters has for each camera, by image topic or `DEFAULT`.

    Args:
        table: its name, for messages.
        entries: its entries, by image topic or `DEFAULT`.
        make: makes of an entry's value what it stands for, or raises a ValueError.
        images: the image topics of the cameras.
        resolve: makes a topic name a fully qualified one.

    Raises:
        ParameterError: there is no such camera (the nearest one is named), or `make` refuses.
    """
    made: dict[str, Made] = {}
    for name, value in entries:
        parameter = f"{table}.{name}"
        try:
            topic = name if name == DEFAULT else resolve(name)
        except ValueError as error:
            raise ParameterError(f"{parameter}: {error}") from None
        if topic != DEFAULT and topic not in images:
            raise ParameterError(
                f"{parameter}: {nearest(topic, images)}"
                f"The cameras are {', '.join(images)}; '{DEFAULT}' is for all others"
            )
        try:
            made[topic] = make(value)
        except ValueError as error:
            raise ParameterError(f"{parameter}: {error}") from None
    return made


def ground_settings(parameters: Parameters, classes: ClassTable) -> GroundSettings:
    """How free space is looked for.

    Raises:
        ParameterError: nothing says which classes are ground, or a parameter of free space is
            wrong.
    """
    try:
        return frame_ground_settings(
            classes,
            ground_classes=parameters.ground_classes,
            groups=dict(parameters.mask_groups),
            free_space_range=parameters.free_space_range,
            free_space_angles=parameters.free_space_angles,
            free_space_angle_increment=parameters.free_space_angle_increment,
            free_space_holes=parameters.free_space_holes,
            free_space_min_run=parameters.free_space_min_run,
            free_space_confidence=parameters.free_space_confidence,
            free_space_seen_from=parameters.free_space_seen_from,
            grid_area=parameters.grid_area,
            grid_resolution=parameters.grid_resolution,
        )
    except ValueError as error:
        raise ParameterError(str(error)) from None
