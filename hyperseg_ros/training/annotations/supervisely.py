"""Supervisely: a project folder; polygons with holes, bitmaps, rectangles."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
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

META = "meta.json"


def read_supervisely(folder: Path) -> Annotations:
    """Read the project: `meta.json` and `<data set>/ann/*.json`.

    Raises:
        AnnotationError: there is no such project, or a file is wrong.
    """
    found = Annotations()
    for item in entry(folder / META, read_json(folder / META), "classes"):
        color = item.get("color", "")
        channels = [int(color[at : at + 2], 16) for at in (1, 3, 5)] if len(color) == 7 else []
        found.colors[item["title"]] = (channels[0], channels[1], channels[2]) if channels else None
    for path in files_below(folder, "ann/*.json"):
        content = read_json(path)
        size = entry(path, content, "size")
        height_width = (int(size["height"]), int(size["width"]))
        regions = []
        for shape in entry(path, content, "objects"):
            region = _region(path, shape, height_width)
            if region is None:
                found.without_area[shape["geometryType"]] += 1
            else:
                regions.append(region)
        found.images.append(AnnotatedImage(path.name.removesuffix(".json"), height_width, regions))
    return found


def _region(path: Path, shape: Mapping[str, Any], size: tuple[int, int]) -> Region | None:
    kind, name = shape["geometryType"], shape["classTitle"]
    if kind == "bitmap":
        left, top = map(int, shape["bitmap"]["origin"])
        try:
            data = zlib.decompress(base64.b64decode(shape["bitmap"]["data"]))
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except (binascii.Error, zlib.error, cv2.error):
            picture = None
        if picture is None:
            raise AnnotationError(f"{path}: the bitmap of {name} does not decode")
        mask = picture[..., 3] if picture.ndim == 3 and picture.shape[2] == 4 else picture
        return Region(name, mask.reshape(*mask.shape[:2], -1).any(axis=2), (top, left))
    if kind == "polygon":
        rings = [shape["points"]["exterior"], *shape["points"]["interior"]]
        return Region(name, filled([np.array(ring, np.float64) for ring in rings], size))
    if kind == "rectangle":
        (left, top), (right, bottom) = shape["points"]["exterior"]
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return Region(name, filled([np.array(corners, np.float64)], size))
    return None


def write_supervisely(images: Sequence[AnnotatedImage], classes: ClassTable, folder: Path) -> None:
    """Write `meta.json` and `labels/ann/*.json`: a class of an image is one bitmap."""
    meta = {
        "classes": [
            {"title": name, "shape": "bitmap", "color": "#{:02X}{:02X}{:02X}".format(*color)}
            for name, color in zip(classes.names, classes.colors)
        ],
        "tags": [],
        "projectType": "images",
    }
    write_text(folder / META, json.dumps(meta, indent=1))
    for image in images:
        objects = []
        for region in image.regions:
            _, data = cv2.imencode(".png", region.mask.astype(np.uint8) * 255)
            packed = base64.b64encode(zlib.compress(bytes(data))).decode("ascii")
            origin = [region.corner[1], region.corner[0]]
            objects.append(
                {
                    "classTitle": region.name,
                    "geometryType": "bitmap",
                    "tags": [],
                    "bitmap": {"origin": origin, "data": packed},
                }
            )
        content = {
            "description": "",
            "tags": [],
            "size": {"height": image.size[0], "width": image.size[1]},
            "objects": objects,
        }
        write_text(folder / "labels" / "ann" / f"{image.name}.json", json.dumps(content, indent=1))
