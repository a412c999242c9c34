"""Annotations of a tool become a split of a data set of the form `folder`."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hyperseg_ros.classes import UNLABELLED, ClassTable, bit_color
from hyperseg_ros.files import write_text, writing
from hyperseg_ros.runtime.image_files import write_image
from hyperseg_ros.training.annotations.regions import (
    AnnotatedImage,
    AnnotationError,
    Annotations,
    Color,
    paint,
)
from hyperseg_ros.training.datasets.folder import CLASS_FILE, read_class_file
from hyperseg_ros.training.datasets.pairing import IMAGE_SUFFIXES
from hyperseg_ros.training.datasets.reading import read_size


@dataclass
class Imported:
    """What became of the annotations.

    Attributes:
        images: images written with their labels.
        classes: the table.
        without_annotation: images that have none; not written.
        without_image: names whose image file is not there; not written.
        without_area: annotations without an area, by kind; left out.
        unknown: regions of no class of the table, by name; left out.
        covered: pixels of regions that a later region of another class lies over.
    """

    images: int
    classes: ClassTable
    without_annotation: list[str] = field(default_factory=list)
    without_image: list[str] = field(default_factory=list)
    without_area: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    covered: int = 0

    def lost(self) -> list[str]:
        """What the labels do not hold of the annotations, each a line."""
        lines = ["instances: those of one class are one area"]
        if self.covered:
            lines.append(f"{self.covered} pixels of regions that others lie over")
        if self.without_area:
            lines.append(f"annotations without an area: {_counted(self.without_area)}")
        if self.unknown:
            lines.append(f"regions of no class of {CLASS_FILE}: {_counted(self.unknown)}")
        for what, names in (
            ("images without an annotation", self.without_annotation),
            ("annotations without an image file", self.without_image),
        ):
            if names:
                lines.append(f"{what}: {len(names)}, such as {names[0]}")
        return lines


def import_annotations(
    found: Annotations,
    image_folder: Path,
    root: Path,
    split: str,
    background: str = "",
    ground: Sequence[str] = (),
) -> Imported:
    """Write images and labels to `root/split`, and `root/classes.yaml` where there is none yet.

    Args:
        found: the annotations.
        image_folder: where the images are; folders in it are searched too.
        root: of the data set.
        split: name of the split.
        background: the class of pixels that no region covers; empty: they are void.
        ground: classes that are ground, where there is no classes.yaml to say it.

    Raises:
        AnnotationError: there is nothing to write, two images would be one file, or the size of an
            image is not the annotated.
        DatasetError: classes.yaml is wrong.
        OSError: a file cannot be written.
    """
    table = root / CLASS_FILE
    if table.exists():
        classes, decoder, _ = read_class_file(table)
        if ground and set(ground) != set(classes.ground):
            raise AnnotationError(f"--ground: change {table}, which says what is ground")
        ids = {label: value for value, label in decoder.ids.items() if label != UNLABELLED}
    else:
        classes = _classes(found.colors, background, ground)
        ids = {label: label for label in range(len(classes))}
    if background and background not in classes.names:
        raise AnnotationError(f"--background: {table} has no class {background!r}")
    result = Imported(0, classes, without_area=found.without_area)
    files = _files(found.images, image_folder)
    folders = [root / split / kind for kind in ("images", "labels")]
    for image, path in zip(found.images, files):
        if not image.regions:
            result.without_annotation.append(image.name)
        elif path is None:
            result.without_image.append(image.name)
        else:
            _check_size(image, path)
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            painted = paint(image, classes, background)
            labels = painted.labels.copy()
            for label, value in ids.items():
                labels[painted.labels == label] = value
            write_image(folders[1] / f"{path.stem}.png", labels)
            with writing(folders[0] / path.name) as temporary:
                shutil.copyfile(path, temporary)
            result.images += 1
            result.covered += painted.covered
            result.unknown += painted.unknown
    if not result.images:
        raise AnnotationError(
            f"no image of the annotations is in {image_folder}: they name "
            f"{', '.join(image.name for image in found.images[:3]) or 'none'}"
        )
    if not table.exists():
        write_text(table, classes.to_yaml())
    return result


def _classes(
    colors: Mapping[str, Color | None], background: str, ground: Sequence[str]
) -> ClassTable:
    """A table of the tool's classes in its order, the background first; distinct colours."""
    names = [name for name in colors if name != background]
    if background:
        names.insert(0, background)
    if not names:
        raise AnnotationError("the annotations name no class")
    strangers = [name for name in ground if name not in names]
    if strangers:
        known = ", ".join(names)
        raise AnnotationError(f"--ground: {', '.join(strangers)} is no class; these are: {known}")
    taken: set[Color] = set()
    chosen = []
    for index, name in enumerate(names):
        color = colors.get(name)
        spare = index + (not background)
        while color is None or color in taken:
            color, spare = bit_color(spare), spare + 1
        taken.add(color)
        chosen.append(color)
    return ClassTable(tuple(names), tuple(chosen), tuple(ground))


def _files(images: Sequence[AnnotatedImage], folder: Path) -> list[Path | None]:
    """The file of each image, None where there is none, found by its path or by its bare name.

    Raises:
        AnnotationError: there is no such folder, or two images with regions would be one file.
    """
    if not folder.is_dir():
        raise AnnotationError(f"{folder}: no such folder of images")
    found: dict[str, list[Path]] = {}
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES]
    for path in paths:
        found.setdefault(path.name, []).append(path)
    found |= {path.relative_to(folder).as_posix(): [path] for path in paths}
    taken: dict[str, Path] = {}
    chosen = []
    for image in images:
        candidates = found.get(image.name, [])
        for path in candidates if image.regions else []:
            if path.stem in taken:
                raise AnnotationError(
                    f"{taken[path.stem]} and {path} would both be {path.stem}.png: give the images "
                    "names of their own, or import each folder by itself"
                )
            taken[path.stem] = path
        chosen.append(candidates[0] if candidates else None)
    return chosen


def _check_size(image: AnnotatedImage, path: Path) -> None:
    stored = read_size(path)
    if stored != image.size:
        turned = stored == image.size[::-1]
        hint = "; its EXIF orientation turns it, which is not applied here: turn its pixels instead"
        raise AnnotationError(
            f"{path}: the image is {stored[1]} x {stored[0]}, its annotations are for "
            f"{image.size[1]} x {image.size[0]}{hint * turned}"
        )


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())
