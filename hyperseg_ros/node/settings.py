"""What the parameters mean for the model and the cameras at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.pixels import Reading
from hyperseg_ros.frames.region import WHOLE, Region
from hyperseg_ros.frames.settings import FrameSettings, masks, palette
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.node.declared_parameters import ParameterError, nearest
from hyperseg_ros.node.diagnostics import Limits
from hyperseg_ros.node.parameters import Parameters

DEFAULT_REGION = "default"
"""The entry of `regions_of_interest` for the cameras without one of their own."""


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
