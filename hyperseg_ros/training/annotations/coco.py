"""COCO's instances (Lin et al., ECCV 2014): one JSON file; polygons, run lengths in both forms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_masks

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.files import write_text
from hyperseg_ros.training.annotations.json_files import read_json
from hyperseg_ros.training.annotations.regions import (
    AnnotatedImage,
    AnnotationError,
    Annotations,
    Mask,
    Region,
    entry,
)

FILE = "annotations.json"


def read_coco(path: Path) -> Annotations:
    """Read an instances file. Annotations are in the order of the file.

    Raises:
        AnnotationError: it is none.
    """
    content = read_json(path)
    categories = {item["id"]: item["name"] for item in entry(path, content, "categories")}
    found = Annotations(colors=dict.fromkeys(categories.values()))
    regions: dict[int, list[Region]] = {}
    sizes = {}
    for image in entry(path, content, "images"):
        sizes[image["id"]] = (int(image["height"]), int(image["width"]))
        regions[image["id"]] = []
    for annotation in entry(path, content, "annotations"):
        number, category = annotation["image_id"], annotation["category_id"]
        if number not in sizes or category not in categories:
            raise AnnotationError(
                f"{path}: annotation {annotation.get('id')} is of image {number} and category "
                f"{category}, of which one is not listed"
            )
        shape = annotation.get("segmentation")
        if not shape:
            found.without_area["box without a mask"] += 1
            continue
        regions[number].append(Region(categories[category], _mask(shape, sizes[number])))
    found.images = [
        AnnotatedImage(image["file_name"], sizes[image["id"]], regions[image["id"]])
        for image in content["images"]
    ]
    return found


def polygon_mask(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> Mask:
    """The pixels of polygons, bool [H, W], by COCO's rule.

    Args:
        polygons: x, y, x, y, ... each; integers at the pixels' corners.
        size: height and width.
    """
    usable = [list(map(float, polygon)) for polygon in polygons if len(polygon) >= 6]
    if not usable:
        return np.zeros(size, np.bool_)
    return _decoded(coco_masks.merge(coco_masks.frPyObjects(usable, *size)))


def _mask(shape: Any, size: tuple[int, int]) -> Mask:
    if isinstance(shape, list):
        return polygon_mask(shape, size)
    if isinstance(shape["counts"], list):
        return _decoded(coco_masks.frPyObjects(shape, *size))
    return _decoded(shape)


def _decoded(run_lengths: Any) -> Mask:
    return np.asarray(coco_masks.decode(run_lengths), np.bool_)


def write_coco(images: Sequence[AnnotatedImage], classes: ClassTable, folder: Path) -> None:
    """Write `annotations.json`: a class of an image is one annotation, as run lengths."""
    categories = {name: index for index, name in enumerate(classes.names, start=1)}
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        for region in image.regions:
            whole = np.asfortranarray(region.whole(image.size).astype(np.uint8))
            encoded = coco_masks.encode(whole)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": categories[region.name],
                    "segmentation": {
                        "size": list(image.size),
                        "counts": encoded["counts"].decode("ascii"),
                    },
                    "area": int(coco_masks.area(encoded)),
                    "bbox": coco_masks.toBbox(encoded).tolist(),
                    "iscrowd": 1,  # what run lengths are for
                }
            )
    content = {
        "images": [
            {"id": number, "file_name": image.name, "height": image.size[0], "width": image.size[1]}
            for number, image in enumerate(images, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
    }
    write_text(folder / FILE, json.dumps(content))
