"""CVAT's own form, "CVAT for images 1.1": one XML file; polygons, boxes, ellipses, masks."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.files import write_bytes
from hyperseg_ros.training.annotations.coco import polygon_mask
from hyperseg_ros.training.annotations.regions import (
    AnnotatedImage,
    AnnotationError,
    Annotations,
    Color,
    Mask,
    Region,
    box,
    ellipse,
    turned,
)

FILE = "annotations.xml"


def read_cvat(path: Path) -> Annotations:
    """Read an XML file. What has a higher z_order lies above, then what comes later.

    Raises:
        AnnotationError: it cannot be read, or is no such file.
    """
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except OSError as error:
        raise AnnotationError(f"{path}: cannot read the annotations: {error.strerror}") from None
    except ElementTree.ParseError as error:
        raise AnnotationError(f"{path}: this is not XML: {error}") from None
    if root.tag != "annotations":
        raise AnnotationError(f"{path}: this is not of CVAT, but holds {root.tag}")
    found = Annotations()
    for label in root.iterfind("meta//labels/label"):
        found.colors[label.findtext("name", "")] = _color(label.findtext("color", ""))
    try:
        for image in root.iterfind("image"):
            size = (int(image.attrib["height"]), int(image.attrib["width"]))
            ordered = sorted(image, key=lambda shape: int(shape.get("z_order", 0)))
            regions = [
                region for shape in ordered if (region := _region(shape, size, found)) is not None
            ]
            found.images.append(AnnotatedImage(image.attrib["name"], size, regions))
    except (KeyError, ValueError) as error:
        raise AnnotationError(f"{path}: a shape is not as CVAT writes it ({error!r})") from None
    if not found.images:
        raise AnnotationError(
            f'{path}: there are no images: export the task as "CVAT for images 1.1"'
        )
    return found


def _region(shape: ElementTree.Element, size: tuple[int, int], found: Annotations) -> Region | None:
    kind, values = shape.tag, shape.attrib
    if kind == "tag":
        return None
    if kind == "mask":
        return Region(
            values["label"],
            _mask(values["rle"], int(values["height"]), int(values["width"])),
            (int(values["top"]), int(values["left"])),
        )
    if kind == "polygon":
        ring = np.array([point.split(",") for point in values["points"].split(";")], np.float64)
    elif kind == "box":
        x, y, right, bottom = (float(values[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        ring = box(x, y, right - x, bottom - y)
        middle = ((x + right) / 2, (y + bottom) / 2)
        ring = turned(ring, float(values.get("rotation", 0)), middle)
    elif kind == "ellipse":
        x, y, radius_x, radius_y = (float(values[key]) for key in ("cx", "cy", "rx", "ry"))
        ring = ellipse(x, y, radius_x, radius_y)
        ring = turned(ring, float(values.get("rotation", 0)), (x, y))
    else:
        found.without_area[kind] += 1
        return None
    return Region(values["label"], polygon_mask([ring.ravel().tolist()], size))


def _mask(run_lengths: str, height: int, width: int) -> Mask:
    """Pixels row by row, in turn those outside and inside, the first outside."""
    counts = [int(count) for count in run_lengths.split(",")]
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(height, width)


def _run_lengths(mask: Mask) -> str:
    pixels = mask.ravel()
    starts = np.flatnonzero(np.diff(pixels, prepend=False))
    return ", ".join(map(str, np.diff(starts, prepend=0, append=len(pixels)).tolist()))


def _color(text: str) -> Color | None:
    if len(text) != 7:
        return None
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def write_cvat(images: Sequence[AnnotatedImage], classes: ClassTable, folder: Path) -> None:
    """Write `annotations.xml`: a class of an image is one mask."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    job = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "job")
    labels = ElementTree.SubElement(job, "labels")
    for name, color in zip(classes.names, classes.colors):
        label = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(label, "name").text = name
        ElementTree.SubElement(label, "color").text = "#{:02x}{:02x}{:02x}".format(*color)
    for number, image in enumerate(images):
        height, width = image.size
        element = ElementTree.SubElement(
            root, "image", id=str(number), name=image.name, width=str(width), height=str(height)
        )
        for region in image.regions:
            ElementTree.SubElement(
                element,
                "mask",
                label=region.name,
                source="auto",
                occluded="0",
                rle=_run_lengths(region.mask),
                left=str(region.corner[1]),
                top=str(region.corner[0]),
                width=str(region.mask.shape[1]),
                height=str(region.mask.shape[0]),
                z_order="0",
            )
    ElementTree.indent(root)
    write_bytes(folder / FILE, ElementTree.tostring(root, "utf-8", xml_declaration=True))
