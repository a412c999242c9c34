"""What the files of all annotation tools have in common: images with ordered regions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED, ClassTable

Color: TypeAlias = tuple[int, int, int]
Mask: TypeAlias = NDArray[np.bool_]
Ring: TypeAlias = NDArray[np.float64]

VOID = ""
"""The name of regions that no class is meant by."""


class AnnotationError(ValueError):
    """Annotations that cannot be read; the message names the file and the reason."""


@dataclass(frozen=True)
class Region:
    """One instance: its class and its pixels.

    Args:
        name: of the class; `VOID` for none.
        mask: bool [h, w], of the image or a part of it.
        corner: row and column of the mask's first pixel in the image.
    """

    name: str
    mask: Mask
    corner: tuple[int, int] = (0, 0)

    def whole(self, size: tuple[int, int]) -> Mask:
        """The mask of the whole image, bool [H, W]; the region lies within it."""
        mask = np.zeros(size, np.bool_)
        top, left = self.corner
        mask[top : top + self.mask.shape[0], left : left + self.mask.shape[1]] = self.mask
        return mask


@dataclass(frozen=True)
class AnnotatedImage:
    """An image's annotations.

    Args:
        name: of the image file, as the tool has it.
        size: height and width, pixels.
        regions: later ones lie over earlier ones.
    """

    name: str
    size: tuple[int, int]
    regions: Sequence[Region]


@dataclass
class Annotations:
    """All that a tool's files hold.

    Attributes:
        images: the images.
        colors: the classes in the tool's order, each with its colour if it has one.
        without_area: annotations that have no area, such as points, by their kind.
    """

    images: list[AnnotatedImage] = field(default_factory=list)
    colors: dict[str, Color | None] = field(default_factory=dict)
    without_area: Counter[str] = field(default_factory=Counter)


def filled(rings: Sequence[Ring], size: tuple[int, int]) -> Mask:
    """The pixels of a polygon, bool [H, W], its border's included; rings after the first are holes.

    Args:
        rings: x, y of the corners, integers at the pixels' centres, float [N, 2].
        size: height and width.
    """
    canvas = np.zeros(size, np.uint8)
    corners = [np.rint(ring).astype(np.int32) for ring in rings]
    cv2.fillPoly(canvas, corners[:1], 1)
    for hole in corners[1:]:
        # A hole's border is the polygon's.
        inside = cv2.fillPoly(np.zeros(size, np.uint8), [hole], 1)
        cv2.polylines(inside, [hole], True, 0)
        canvas[inside > 0] = 0
    return canvas > 0


def box(x: float, y: float, width: float, height: float) -> Ring:
    """The corners of a box."""
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> Ring:
    """An ellipse around x, y as a polygon."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], axis=1)


def turned(ring: Ring, degrees: float, around: tuple[float, float]) -> Ring:
    """A polygon turned clockwise, as the image is seen."""
    angle = np.radians(degrees)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    return (ring - around) @ turn + around


@dataclass
class Painted:
    """Labels that regions came to.

    Attributes:
        labels: class ids, uint8 [H, W]; what no region covers is `UNLABELLED` or the background.
        covered: pixels of regions that a later region of another class lies over.
        unknown: regions of no class of the table, by name; not painted.
    """

    labels: NDArray[np.uint8]
    covered: int = 0
    unknown: Counter[str] = field(default_factory=Counter)


def paint(image: AnnotatedImage, classes: ClassTable, background: str = "") -> Painted:
    """The labels of an image, each region over those before it.

    Args:
        image: the annotations.
        classes: the table, by names.
        background: the class of what no region covers; empty: it is unlabelled.
    """
    start = classes.index(background) if background else UNLABELLED
    found = Painted(np.full(image.size, start, np.uint8))
    regions = np.zeros(image.size, np.bool_)
    for region in image.regions:
        if region.name not in (*classes.names, VOID):
            found.unknown[region.name] += 1
            continue
        label = classes.names.index(region.name) if region.name != VOID else UNLABELLED
        part, mask = _within(region, image.size)
        under, covered = found.labels[part], regions[part]
        found.covered += int((mask & covered & (under != label)).sum())
        under[mask] = label
        covered[mask] = True
    return found


def _within(region: Region, size: tuple[int, int]) -> tuple[tuple[slice, slice], Mask]:
    """Where the region lies in its image, and its mask there; what is outside is cut off."""
    top, left = region.corner
    rows = slice(max(0, top), max(0, min(size[0], top + region.mask.shape[0])))
    columns = slice(max(0, left), max(0, min(size[1], left + region.mask.shape[1])))
    mask = region.mask[
        rows.start - top : max(rows.start - top, rows.stop - top),
        columns.start - left : max(columns.start - left, columns.stop - left),
    ]
    return (rows, columns), mask


def regions_of(labels: NDArray[np.uint8], classes: ClassTable) -> Iterator[Region]:
    """Each class of an image's labels, uint8 [H, W], as one region, cut to its box."""
    for label, name in enumerate(classes.names):
        mask = labels == label
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            top, left = int(rows[0]), int(columns[0])
            yield Region(name, mask[top : rows[-1] + 1, left : columns[-1] + 1], (top, left))


def entry(path: Path, value: Mapping[str, Any], key: str) -> Any:
    """An entry of a tool's file. Raises AnnotationError where there is none."""
    if not isinstance(value, Mapping) or key not in value:
        raise AnnotationError(f"{path}: an entry {key!r} is missing; is it of another tool?")
    return value[key]
