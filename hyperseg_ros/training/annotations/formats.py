"""The annotation tools whose files are read and written, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.training.annotations.cityscapes import read_cityscapes, write_cityscapes
from hyperseg_ros.training.annotations.coco import read_coco, write_coco
from hyperseg_ros.training.annotations.cvat import read_cvat, write_cvat
from hyperseg_ros.training.annotations.label_studio import read_label_studio, write_label_studio
from hyperseg_ros.training.annotations.labelme import read_labelme, write_labelme
from hyperseg_ros.training.annotations.regions import (
    AnnotatedImage,
    AnnotationError,
    Annotations,
)
from hyperseg_ros.training.annotations.supervisely import read_supervisely, write_supervisely

_WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, cv2.error)
"""What readers raise on entries of another kind than the tool's."""


@dataclass(frozen=True)
class Format:
    """What a tool writes and reads.

    Args:
        tool: its name, for people.
        source: what it is read from, for people.
        reader: of the file or folder.
        write: all images, of these classes, into a folder.
    """

    tool: str
    source: str
    reader: Callable[[Path], Annotations]
    write: Callable[[Sequence[AnnotatedImage], ClassTable, Path], None]

    def read(self, path: Path) -> Annotations:
        """What the file or folder holds.

        Raises:
            AnnotationError: it is not of the tool, or an entry in it is wrong.
        """
        try:
            found = self.reader(path)
            for name in (*(image.name for image in found.images), *found.colors):
                if not isinstance(name, str):
                    raise TypeError(f"{name!r} is no name")
        except AnnotationError:
            raise
        except _WRONG as error:
            raise AnnotationError(
                f"{path}: an entry is not as {self.tool} writes it ({error!r})"
            ) from None
        return found


FORMATS = {
    "cvat": Format("CVAT", "annotations.xml of CVAT for images 1.1", read_cvat, write_cvat),
    "label-studio": Format(
        "Label Studio", "the JSON export", read_label_studio, write_label_studio
    ),
    "labelme": Format("LabelMe", "a folder of its JSON files", read_labelme, write_labelme),
    "coco": Format("COCO", "an instances JSON file", read_coco, write_coco),
    "cityscapes": Format(
        "Cityscapes", "a folder of polygon files", read_cityscapes, write_cityscapes
    ),
    "supervisely": Format("Supervisely", "a project folder", read_supervisely, write_supervisely),
}
