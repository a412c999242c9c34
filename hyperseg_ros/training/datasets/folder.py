"""A team's own data: folders of images and of labels, and a table of classes.

    ROOT/classes.yaml
    ROOT/train/images/NAME.jpg    ROOT/train/labels/NAME.png
    ROOT/val/images/...           ROOT/val/labels/...

Labels are PNG files of ids, with or without a palette, or of the classes' exact colours; a palette
that shows exactly these, but in another order, is read by its colours.
`classes.yaml` lists the classes in the order of their ids:

    classes:
      - {name: road, color: [128, 64, 128], ground: true}   # a surface to drive or walk on
      - {name: person, color: [220, 20, 60], id: 7}   # where the files have another id
    void: [255]                                       # ids and colours of no class
    terms: what the data allow models to be used for
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from hyperseg_ros.classes import UNLABELLED, ClassTable
from hyperseg_ros.training.datasets.label_decoding import (
    Color,
    ColorDecoder,
    EitherDecoder,
    IndexDecoder,
)
from hyperseg_ros.training.datasets.labelled_images import DatasetError
from hyperseg_ros.training.datasets.listing import Listing
from hyperseg_ros.training.datasets.pairing import pair_files

CLASS_FILE = "classes.yaml"
_Value = TypeVar("_Value", int, Color)

TERMS_UNKNOWN = "ask whoever made the data set"


def list_folder(root: Path, split: str) -> Listing:
    """A split of a folder, named after the folder.

    Raises:
        DatasetError: the table of classes is missing or wrong, or there are no such folders.
    """
    classes, decoder, terms = read_class_file(root / CLASS_FILE)
    if not re.fullmatch(r"[\w.-]+", split):
        raise DatasetError(f"{split!r} is no split: it is the name of a folder in {root}")
    hint = f"{root} holds {CLASS_FILE}, {split}/images/ and {split}/labels/"
    pairs, unpaired, notes = pair_files(root / split / "images", root / split / "labels", hint)
    name = f"{root.resolve().name}/{split}"
    return Listing(name, pairs, decoder, classes, terms, unpaired, notes)


def read_class_file(path: Path) -> tuple[ClassTable, EitherDecoder, str]:
    """The classes of a `classes.yaml`, how labels are decoded, and the terms of the data.

    Raises:
        DatasetError: the file cannot be read or is wrong; says where.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        above = path.parents[1] / CLASS_FILE
        hint = "it lists the classes as `classes: [{name: road, color: [128, 64, 128]}, ...]`"
        if above.exists():
            hint = f"there is one at {above}: give its folder as the root"
        raise DatasetError(
            f"{path}: cannot read the table of classes: {error.strerror}; {hint}"
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DatasetError(f"{path}: this is not YAML: {error}") from None
    try:
        entries = content["classes"]
        names = [_name(entry["name"]) for entry in entries]
        colors = [tuple(entry["color"]) for entry in entries]
        ids = {_id(entry.get("id", index)): index for index, entry in enumerate(entries)}
        void = content.get("void", [] if UNLABELLED in ids else [UNLABELLED])
        void_ids = {_id(value): UNLABELLED for value in void if not isinstance(value, list)}
        void_colors = {_color(value): UNLABELLED for value in void if isinstance(value, list)}
        ground = [entry["name"] for entry in entries if _flag(entry.get("ground", False))]
        classes = ClassTable(tuple(names), tuple(colors), tuple(ground))
    except (AttributeError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: write it as `classes: [{{name: road, color: [128, 64, 128]}}, ...]`, with "
            f"`id` where the label files have another, and `void: [255]` ({error!r} was found)"
        ) from None
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
    for what, distinct in (("ids", ids), ("colours", set(colors))):
        if len(distinct) != len(classes):
            raise DatasetError(f"{path}: two classes have the same of the {what}")
    class_colors = {color: index for index, color in enumerate(classes.colors)}
    _check_apart("id", void_ids, ids, names, path)
    _check_apart("colour", void_colors, class_colors, names, path)
    decoder = EitherDecoder(
        IndexDecoder({**void_ids, **ids}), ColorDecoder({**void_colors, **class_colors})
    )
    return classes, decoder, str(content.get("terms", TERMS_UNKNOWN))


def _check_apart(
    what: str,
    of_void: Mapping[_Value, int],
    of_classes: Mapping[_Value, int],
    names: Sequence[str],
    path: Path,
) -> None:
    """Raise DatasetError where a value is void and of a class too."""
    for value in of_void.keys() & of_classes.keys():
        raise DatasetError(
            f"{path}: the {what} {value} is both void and of the class "
            f"{names[of_classes[value]]}; take it out of void, or give the class another"
        )


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"ground is true or false, not {value!r}")
    return value


def _name(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        raise ValueError(
            f"YAML reads a class name as {value}: put it in quotes, as name: 'no' or name: '1'"
        )
    return value


def _id(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 255:
        raise ValueError(f"an id is an integer from 0 to 255, not {value!r}")
    return value


def _color(value: list[Any]) -> Color:
    if len(value) != 3 or any(type(part) is not int or not 0 <= part <= 255 for part in value):
        raise ValueError(f"a colour of void must be three integers 0-255 (RGB), not {value}")
    return value[0], value[1], value[2]
