"""A folder of images as a drive, with the labels that lie beside them.

Labels of a folder `drive/` are found by this rule; the first that exists counts:

1. `driveannot/` beside the folder (SegNet's CamVid: `val/` and `valannot/`);
2. `labels/` beside the folder, when the folder is called `images`;
3. `drive/labels/`;
4. `NAME_L.png` beside each image `NAME.*`.

In a label folder the labels of `NAME.*` are `NAME.png` or `NAME_L.png`; an image without a label
file is unlabelled. A label file is a one-channel 8-bit PNG as large as its image. Its values are
the class ids of the model; 255 and the first id after the last class (11 in SegNet's CamVid) are
void, which is `UNLABELLED` here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED, ClassTable
from hyperseg_ros.demo.sources.drive import Drive, Frame, SourceError, read_first
from hyperseg_ros.runtime.decoding import ImageError
from hyperseg_ros.runtime.image_files import IMAGE_SUFFIXES, read_image, read_pixels


def read_folder(folder: Path, classes: ClassTable, rate: float) -> Drive:
    """The images of a folder, in the order of the numbers in their names.

    Raises:
        SourceError: there are none, or the first one cannot be read.
    """
    images = sorted(
        (
            path
            for path in folder.iterdir()
            if path.suffix.lower() in IMAGE_SUFFIXES
            and not path.stem.endswith("_L")
            and not path.name.startswith(".")  # such as the ._ files of a Mac
        ),
        key=_natural,
    )
    if not images:
        raise SourceError(
            f"no images in {folder}: expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    label_files = [_label_file(path) for path in images]

    def frames() -> Iterator[Frame]:
        for image_file, label_file in zip(images, label_files):
            image = _readable(read_image, image_file)
            labels = None
            if label_file is not None:
                labels = read_labels(label_file, len(classes))
                if labels.shape != image.shape[:2]:
                    raise SourceError(
                        f"{label_file} is {labels.shape[1]} x {labels.shape[0]}, but its image "
                        f"{image_file.name} is {image.shape[1]} x {image.shape[0]}"
                    )
            yield Frame(image, labels)

    return Drive(
        title=str(folder),
        rate=rate,
        length=len(images),
        labelled=any(label_files),
        live=False,
        intrinsics=None,
        frames=read_first(frames()),
    )


def read_labels(path: Path, num_classes: int) -> NDArray[np.uint8]:
    """Read a label file as the top of this module has it.

    Args:
        path: one-channel 8-bit PNG of class ids.
        num_classes: ids below are classes; this one and 255 are void.

    Returns:
        Class ids, `UNLABELLED` for void; uint8 [H, W].

    Raises:
        SourceError: the file is not such a PNG or holds another id.
    """
    try:
        labels = read_pixels(path)
    except (ImageError, OSError) as error:
        raise SourceError(f"cannot read the labels: {error}") from None
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise SourceError(
            f"{path} does not hold class ids: labels are a one-channel 8-bit PNG, this one is "
            f"{labels.dtype} with {1 if labels.ndim == 2 else labels.shape[2]} channel(s)"
        )
    void = labels == num_classes
    beyond = labels[(labels > num_classes) & (labels != UNLABELLED)]
    if beyond.size:
        raise SourceError(
            f"{path} holds class id {beyond[0]}: the model has classes 0 to {num_classes - 1}, "
            f"and {num_classes} or {UNLABELLED} is void"
        )
    return np.where(void, np.uint8(UNLABELLED), labels)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which frame_2 comes before frame_10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", path.name)
    ]


def _label_file(image: Path) -> Path | None:
    """The label file of an image by the rule at the top of this module."""
    folder = image.parent.resolve()
    label_folders = [folder.with_name(f"{folder.name}annot"), folder / "labels"]
    if folder.name == "images":
        label_folders.insert(1, folder.with_name("labels"))
    for labels in label_folders:
        if labels.is_dir():
            names = (f"{image.stem}.png", f"{image.stem}_L.png")
            return next((labels / name for name in names if (labels / name).is_file()), None)
    beside = image.with_name(f"{image.stem}_L.png")
    return beside if beside.is_file() else None


def _readable(read: Callable[[Path], NDArray[Any]], path: Path) -> NDArray[Any]:
    """What `read` makes of a file.

    Raises:
        SourceError: it cannot.
    """
    try:
        return read(path)
    except (ImageError, OSError) as error:
        raise SourceError(str(error)) from error
