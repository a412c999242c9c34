"""What the node's parameters of free space mean for a model: their defaults, their errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.free_space import GroundSettings
from hyperseg_ros.geometry import FreeSpaceOptions, GeometryError, Pose
from hyperseg_ros.geometry.free_space import DEFAULT_OPTIONS, HOLES
from hyperseg_ros.geometry.grid import GridLayout

GROUND_FRAME = "base_link"
"""x forward, y left, z up; the ground is z = 0."""
FREE_SPACE_RANGE = (0.0, 15.0)
"""Metres."""
ANGLE_INCREMENT = 0.0087
"""Radians."""
GRID_AREA = (15.0, 2.0, 10.0)
"""Metres ahead, behind, and to either side."""
GRID_RESOLUTION = 0.1
"""Metres."""


def ground_settings(
    classes: ClassTable,
    ground_classes: Iterable[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    free_space_range: Sequence[float] = FREE_SPACE_RANGE,
    free_space_angles: Sequence[float] = (),
    free_space_angle_increment: float = ANGLE_INCREMENT,
    free_space_holes: str = HOLES[0],
    free_space_min_run: int = DEFAULT_OPTIONS.min_run,
    free_space_confidence: float = DEFAULT_OPTIONS.ground_confidence,
    free_space_seen_from: float = 0.0,
    grid_area: Sequence[float] = GRID_AREA,
    grid_resolution: float = GRID_RESOLUTION,
) -> GroundSettings:
    """How free space is looked for.

    Args:
        classes: of the model.
        ground_classes: classes, and groups, that are ground; none for those of the model's card.
        groups: of classes, by name.
        free_space_range, free_space_angles, free_space_angle_increment, free_space_holes,
        free_space_min_run, free_space_confidence, free_space_seen_from, grid_area,
        grid_resolution: as the node's parameters of these names.

    Raises:
        ValueError: nothing says which classes are ground, or a value is invalid; the text names
            the parameter.
    """
    ground = _ground_ids(classes, ground_classes, groups or {})
    nearest, farthest = _numbers("free_space_range", free_space_range, 2)
    first, last = _numbers("free_space_angles", free_space_angles or (math.nan, math.nan), 2)
    options = FreeSpaceOptions(holes=free_space_holes)
    given: tuple[tuple[str, dict[str, Any]], ...] = (
        ("free_space_range", {"min_range": nearest, "max_range": farthest}),
        ("free_space_angles", {"angle_min": first, "angle_max": last}),
        ("free_space_angle_increment", {"angle_increment": free_space_angle_increment}),
        ("free_space_min_run", {"min_run": free_space_min_run}),
        ("free_space_confidence", {"ground_confidence": free_space_confidence}),
    )
    for name, changes in given:
        try:
            options = replace(options, **changes)
        except GeometryError as error:
            raise ValueError(f"{name}: {error}") from None
    ahead, behind, aside = _numbers("grid_area", grid_area, 3)
    try:
        grid = GridLayout.around(ahead, behind, aside, grid_resolution)
    except GeometryError as error:
        raise ValueError(f"grid_area or grid_resolution: {error}") from None
    return GroundSettings(ground, options, grid, free_space_seen_from or math.inf)


def mount(numbers: Sequence[float]) -> Pose:
    """The pose of `[x, y, z, roll, pitch, yaw]`, metres and radians.

    Raises:
        ValueError: there are not six numbers, or the camera is not above the ground.
    """
    if len(numbers) != 6:
        raise ValueError(
            f"a mount is [x, y, z, roll, pitch, yaw] in metres and radians, not {list(numbers)}"
        )
    return Pose.mounted(*numbers)


def _ground_ids(
    classes: ClassTable, ground_classes: Iterable[str], groups: Mapping[str, Sequence[str]]
) -> tuple[int, ...]:
    names: list[str] = []
    for name in filter(None, ground_classes):
        members = list(filter(None, groups.get(name, (name,))))
        if not members:
            raise ValueError(f"ground_classes: the group {name!r} of mask_groups names no class")
        names += members
    try:
        ground = tuple(classes.index(name) for name in names) or classes.ground_ids
    except ValueError as error:
        raise ValueError(f"ground_classes: {error}") from None
    if not ground:
        raise ValueError(
            "ground_classes is empty, and the model's card names no ground: set it to the classes "
            "that can be driven or walked on"
        )
    return ground


def _numbers(name: str, values: Sequence[float], count: int) -> tuple[float, ...]:
    if len(values) != count:
        raise ValueError(f"{name} {list(values)}: it must be {count} numbers")
    return tuple(values)
