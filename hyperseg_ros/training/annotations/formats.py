"""The annotation tools whose files are read and written, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.training.annotations.cityscapes import read_cityscapes, write_cityscapes
from hyperseg_ros.training.annotations.coco import read_coco, write_coco
from hyperseg_ros.training.annotations.cvat import read_cvat, write_cvat
from hyperseg_ros.training.annotations.label_studio import read_label_studio, write_label_studio
from hyperseg_ros.training.annotations.labelme import read_labelme, write_labelme
from hyperseg_ros.training.annotations.regions import AnnotatedImage, Annotations
from hyperseg_ros.training.annotations.supervisely import read_supervisely, write_supervisely


@dataclass(frozen=True)
class Format:
    """What a tool writes and reads.

    Args:
        source: what it is read from, for people.
        read: from the file or folder.
        write: all images, of these classes, into a folder.
    """

    source: str
    read: Callable[[Path], Annotations]
    write: Callable[[Sequence[AnnotatedImage], ClassTable, Path], None]


FORMATS = {
    "cvat": Format("annotations.xml of CVAT for images 1.1", read_cvat, write_cvat),
    "label-studio": Format("the JSON export", read_label_studio, write_label_studio),
    "labelme": Format("a folder of its JSON files", read_labelme, write_labelme),
    "coco": Format("an instances JSON file", read_coco, write_coco),
    "cityscapes": Format("a folder of polygon files", read_cityscapes, write_cityscapes),
    "supervisely": Format("a project folder", read_supervisely, write_supervisely),
}
