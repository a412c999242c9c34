"""Label Studio's JSON export: polygons, boxes, ellipses in percent, and brushes as run lengths."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import numpy as np

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.files import write_text
from hyperseg_ros.training.annotations.brush import decode_brush, encode_brush
from hyperseg_ros.training.annotations.coco import polygon_mask
from hyperseg_ros.training.annotations.json_files import read_json
from hyperseg_ros.training.annotations.regions import (
    AnnotatedImage,
    AnnotationError,
    Annotations,
    Region,
    box,
    ellipse,
    entry,
    turned,
)

FILE = "tasks.json"
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of an uploaded file."""


def read_label_studio(path: Path) -> Annotations:
    """Read an export. Of several annotations of a task the last one counts that was not cancelled.

    Raises:
        AnnotationError: it is no such file.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list):
        raise AnnotationError(f"{path}: this is not Label Studio's JSON export, a list of tasks")
    found = Annotations()
    for task in tasks:
        done = [
            annotation
            for annotation in entry(path, task, "annotations")
            if not annotation.get("was_cancelled")
        ]
        results = done[-1]["result"] if done else []
        shapes = [item for item in results if "original_height" in item]
        name = _image_name(path, task)
        if not shapes:
            found.images.append(AnnotatedImage(name, (0, 0), []))
            continue
        size = (int(shapes[0]["original_height"]), int(shapes[0]["original_width"]))
        regions = []
        for item in shapes:
            region = _region(item, size)
            if region is None:
                found.without_area[item["type"]] += 1
            else:
                found.colors.setdefault(region.name, None)
                regions.append(region)
        found.images.append(AnnotatedImage(name, size, regions))
    return found


def _image_name(path: Path, task: Mapping[str, Any]) -> str:
    data = entry(path, task, "data")
    source = data.get("image") or next(
        (value for value in data.values() if isinstance(value, str)), ""
    )
    address, _, query = source.partition("?")
    if query.startswith("d="):
        return PurePosixPath(unquote(query[2:])).name
    file = PurePosixPath(unquote(address))
    return _UPLOADED.sub("", file.name) if "upload" in file.parts[:-1] else file.name


def _region(item: Mapping[str, Any], size: tuple[int, int]) -> Region | None:
    kind, value = item["type"], item["value"]
    names = value.get(kind, [])
    if not names:
        return None
    if kind == "brushlabels":
        return Region(names[0], decode_brush(value["rle"], size))
    percent = np.array([size[1], size[0]]) / 100
    if kind == "polygonlabels":
        ring = np.array(value["points"], np.float64) * percent
    elif kind == "rectanglelabels":
        corner = np.array([value["x"], value["y"]]) * percent
        sides = np.array([value["width"], value["height"]]) * percent
        ring = box(*corner, *sides)
        ring = turned(ring, float(value.get("rotation", 0)), (corner[0], corner[1]))
    elif kind == "ellipselabels":
        centre = np.array([value["x"], value["y"]]) * percent
        radii = np.array([value["radiusX"], value["radiusY"]]) * percent
        ring = ellipse(*centre, *radii)
        ring = turned(ring, float(value.get("rotation", 0)), (centre[0], centre[1]))
    else:
        return None
    return Region(names[0], polygon_mask([ring.ravel().tolist()], size))


def write_label_studio(images: Sequence[AnnotatedImage], classes: ClassTable, folder: Path) -> None:
    """Write `tasks.json` to import: a class of an image is one brush."""
    tasks = []
    for image in images:
        results = []
        for number, region in enumerate(image.regions):
            results.append(
                {
                    "id": f"{Path(image.name).stem}-{number}",
                    "type": "brushlabels",
                    "from_name": "label",
                    "to_name": "image",
                    "original_width": image.size[1],
                    "original_height": image.size[0],
                    "image_rotation": 0,
                    "value": {
                        "format": "rle",
                        "rle": encode_brush(region.whole(image.size)),
                        "brushlabels": [region.name],
                    },
                }
            )
        source = f"/data/local-files/?d=images/{image.name}"
        tasks.append({"data": {"image": source}, "annotations": [{"result": results}]})
    write_text(folder / FILE, json.dumps(tasks))
