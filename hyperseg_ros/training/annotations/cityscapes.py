"""Cityscapes' polygons (Cordts et al., CVPR 2016): a JSON file per image, in painting order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.files import write_text
from hyperseg_ros.training.annotations.json_files import files_below, read_json
from hyperseg_ros.training.annotations.regions import (
    VOID,
    AnnotatedImage,
    Annotations,
    Mask,
    Region,
    entry,
    filled,
)

SUFFIX = "_gtFine_polygons.json"
_VOIDS = ("unlabeled", "out of roi", "ego vehicle", "rectification border")
"""Labels of no class."""
_COUNTED = (
    *("person", "rider", "car", "truck", "bus"),
    *("caravan", "trailer", "train", "motorcycle", "bicycle"),
)
_GROUPS = {f"{name}group": name for name in _COUNTED}
"""Labels of several things of a class that could not be told apart."""


def read_cityscapes(folder: Path) -> Annotations:
    """Read the files of a folder, and of the folders in it.

    Raises:
        AnnotationError: there is none, or one is no such file.
    """
    found = Annotations()
    for path in files_below(folder, f"*{SUFFIX}"):
        content = read_json(path)
        size = (int(entry(path, content, "imgHeight")), int(entry(path, content, "imgWidth")))
        regions = []
        for item in entry(path, content, "objects"):
            if item.get("deleted"):
                continue
            label = item["label"]
            name = VOID if label in _VOIDS else _GROUPS.get(label, label)
            if name != VOID:
                found.colors.setdefault(name, None)
            regions.append(Region(name, filled([np.array(item["polygon"], np.float64)], size)))
        name = f"{path.name.removesuffix(SUFFIX)}_leftImg8bit.png"
        found.images.append(AnnotatedImage(name, size, regions))
    return found


def write_cityscapes(images: Sequence[AnnotatedImage], classes: ClassTable, folder: Path) -> None:
    """Write a file per image: each connected part is a polygon, the larger first.

    So a hole is covered by what is in it; what has no class is "unlabeled".
    """
    for image in images:
        content = {
            "imgHeight": image.size[0],
            "imgWidth": image.size[1],
            "objects": [{"label": name, "polygon": polygon} for name, polygon in _polygons(image)],
        }
        stem = Path(image.name).stem.removesuffix("_leftImg8bit")
        write_text(folder / f"{stem}{SUFFIX}", json.dumps(content))


def _polygons(image: AnnotatedImage) -> list[tuple[str, list[Any]]]:
    """The class and the outline of each connected part, by falling area with holes."""
    rest = np.ones(image.size, np.bool_)
    parts: list[tuple[int, str, list[Any]]] = []
    for region in image.regions:
        mask = region.whole(image.size)
        rest &= ~mask
        parts += [(area, region.name, outline) for area, outline in _outlines(mask)]
    parts += [(area, _VOIDS[0], outline) for area, outline in _outlines(rest)]
    parts.sort(key=lambda part: -part[0])
    return [(name, outline) for _, name, outline in parts]


def _outlines(mask: Mask) -> Iterator[tuple[int, list[Any]]]:
    """Of each part that is connected by its pixels' sides: pixels with holes, and the outline."""
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4
    )
    for number in range(1, count):
        left, top, width, height = boxes[number, :4].tolist()
        part = numbers[top : top + height, left : left + width] == number
        contours, _ = cv2.findContours(
            part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        ring = contours[0][:, 0]
        area = int(filled([ring.astype(np.float64)], (height, width)).sum())
        yield area, (ring + np.array([left, top])).tolist()
