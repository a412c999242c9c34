"""LabelMe (wkentaro): a JSON file per image; polygons, rectangles, circles, masks."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import cv2
import numpy as np

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.files import write_text
from hyperseg_ros.training.annotations.json_files import files_below, read_json
from hyperseg_ros.training.annotations.regions import (
    AnnotatedImage,
    AnnotationError,
    Annotations,
    Region,
    entry,
    filled,
)


def read_labelme(folder: Path) -> Annotations:
    """Read the files of a folder, in the order of their names.

    Raises:
        AnnotationError: there is none, or one is no such file.
    """
    found = Annotations()
    for path in files_below(folder, "*.json"):
        content = read_json(path)
        shapes = entry(path, content, "shapes")
        size = (int(entry(path, content, "imageHeight")), int(entry(path, content, "imageWidth")))
        regions = []
        for shape in shapes:
            found.colors.setdefault(shape["label"], None)
            region = _region(path, shape, size)
            if region is None:
                found.without_area[shape.get("shape_type", "polygon")] += 1
            else:
                regions.append(region)
        name = PureWindowsPath(entry(path, content, "imagePath")).name
        found.images.append(AnnotatedImage(name, size, regions))
    return found


def _region(path: Path, shape: Mapping[str, Any], size: tuple[int, int]) -> Region | None:
    kind, points = shape.get("shape_type", "polygon"), np.array(shape["points"], np.float64)
    if kind == "mask":
        try:
            data = np.frombuffer(base64.b64decode(shape["mask"]), np.uint8)
            picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        except (binascii.Error, cv2.error):
            picture = None
        if picture is None:
            raise AnnotationError(f"{path}: the mask of {shape['label']} does not decode")
        left, top = np.rint(points.min(axis=0)).astype(int).tolist()
        return Region(shape["label"], picture > 0, (top, left))
    if kind == "rectangle":
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        points = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    elif kind == "circle":
        radius = float(np.hypot(*(points[1] - points[0])))
        rows, columns = np.ogrid[: size[0], : size[1]]
        distance = np.hypot(columns - points[0][0], rows - points[0][1])
        return Region(shape["label"], distance <= radius)
    elif kind != "polygon":
        return None
    return Region(shape["label"], filled([points], size)) if len(points) > 2 else None


def write_labelme(images: Sequence[AnnotatedImage], classes: ClassTable, folder: Path) -> None:
    """Write a file per image: each of its classes is one mask."""
    for image in images:
        shapes: list[dict[str, Any]] = []
        for region in image.regions:
            (top, left), (height, width) = region.corner, region.mask.shape
            _, data = cv2.imencode(".png", region.mask.astype(np.uint8) * 255)
            shapes.append(
                {
                    "label": region.name,
                    "points": [[left, top], [left + width - 1, top + height - 1]],
                    "group_id": None,
                    "description": "",
                    "shape_type": "mask",
                    "flags": {},
                    "mask": base64.b64encode(bytes(data)).decode("ascii"),
                }
            )
        content: dict[str, Any] = {
            "version": "5.4.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": image.name,
            "imageData": None,
            "imageHeight": image.size[0],
            "imageWidth": image.size[1],
        }
        write_text(folder / f"{Path(image.name).stem}.json", json.dumps(content, indent=1))
