"""Which label file belongs to which image: by name, also where programs have changed it."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from hyperseg_ros.runtime.image_files import IMAGE_SUFFIXES
from hyperseg_ros.training.datasets.labelled_images import DatasetError

Pairs = list[tuple[Path, Path]]
_Files = dict[str, Path]


class Pairing(NamedTuple):
    """The files of two folders.

    Attributes:
        pairs: image and label file, sorted by name.
        unpaired: each file without a partner, and the folder where there is none.
        notes: what was assumed or ignored, each a line.
    """

    pairs: Pairs
    unpaired: Pairs
    notes: list[str]


def pair_files(
    image_folder: Path, label_folder: Path, hint: str, label_suffix: str = ""
) -> Pairing:
    """Pair the images and labels of two folders, whatever their kind of file.

    Names that differ in case, in the normal form of Unicode (macOS decomposes), or by a constant
    prefix or suffix, such as `_mask`, are taken as the same, with a note.

    Args:
        image_folder, label_folder: where they lie.
        hint: how the data set should look, for the error.
        label_suffix: what a label file's name has more than its image's, before the dot.

    Raises:
        DatasetError: a folder is missing, or holds no images.
    """
    notes: list[str] = []
    images, labels = (_by_name(folder, hint, notes) for folder in (image_folder, label_folder))
    if not images:
        inside = sum(1 for path in image_folder.glob("*/*") if _is_image(path))
        others = f"; its sub-folders hold {inside}: move them up" if inside else ""
        others = others or _other_kinds(image_folder)
        raise DatasetError(f"{image_folder}: there are no images in this folder{others}; {hint}")
    if not labels:
        notes.append(
            f"{label_folder}: there are no masks in this folder{_other_kinds(label_folder)}"
        )
    partners = {name + label_suffix: path for name, path in images.items()}
    pairs = _take(partners, labels, str)
    for key, difference in ((_normal_form, "Unicode form"), (_folded, "case")):
        found = _take(partners, labels, key)
        if found:
            image, label = found[0]
            notes.append(
                f"{_count(found)} whose names differ in {difference} are taken as pairs, "
                f"such as {image.name} and {label.name}"
            )
        pairs += found
    for affixes in (_around, _common):
        one, other = affixes(partners, labels)
        found = _take(partners, labels, one.without, other.without)
        if found:
            notes.append(
                f"{_count(found)} whose names differ by a prefix or suffix "
                f"({one.pattern('NAME')} and {other.pattern('NAME')}) are taken as pairs"
            )
        pairs += found
    unpaired = [(path, label_folder) for _, path in sorted(partners.items())]
    unpaired += [(path, image_folder) for _, path in sorted(labels.items())]
    return Pairing(sorted(pairs, key=lambda pair: pair[0].name), unpaired, notes)


class _Affix(NamedTuple):
    prefix: str
    suffix: str

    def without(self, name: str) -> str:
        """The name without prefix and suffix."""
        return name.removeprefix(self.prefix).removesuffix(self.suffix)

    def pattern(self, name: str) -> str:
        return f"{self.prefix}{name}{self.suffix}"


_NONE = _Affix("", "")


def _around(images: _Files, labels: _Files) -> tuple[_Affix, _Affix]:
    """What each label's name has around that of an image, if it is always the same."""
    found = set()
    for label in labels:
        image = max((name for name in images if name in label), key=len, default="")
        if image:
            prefix, _, suffix = label.partition(image)
            found.add(_Affix(prefix, suffix))
    one = found.pop() if len(found) == 1 else _NONE
    return _NONE, one if re.search(r"[^\W\d]|[_. -]", one.prefix + one.suffix) else _NONE


def _common(images: _Files, labels: _Files) -> tuple[_Affix, _Affix]:
    """What the names of either folder begin and end with, such as `_rgb` and `_mask`."""
    if min(len(images), len(labels)) < 2:
        return _NONE, _NONE
    return _words(images), _words(labels)


def _words(names: Iterable[str]) -> _Affix:
    """What all names begin and end with, as far as it is a word set apart."""
    prefix = _shared_start(names)
    suffix = _shared_start([name[::-1] for name in names])[::-1]
    before = re.match(r"[^\W\d][^_. -]*[_. -]", prefix)
    behind = re.search(r"[_. -][^\W\d][\w. -]*$", suffix)
    return _Affix(before[0] if before else "", behind[0] if behind else "")


def _shared_start(names: Iterable[str]) -> str:
    first, last = min(names), max(names)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last))
    return "".join(letter for letter, _ in same)


def _take(
    images: _Files,
    labels: _Files,
    image_key: Callable[[str], str],
    label_key: Callable[[str], str] | None = None,
) -> Pairs:
    """Take those whose keys are equal, and no others' too, out of both folders."""
    by_image, by_label = _unique(images, image_key), _unique(labels, label_key or image_key)
    return [
        (images.pop(by_image[key]), labels.pop(by_label[key]))
        for key in sorted(by_image.keys() & by_label.keys())
    ]


def _unique(files: _Files, key: Callable[[str], str]) -> dict[str, str]:
    names: dict[str, list[str]] = {}
    for name in files:
        names.setdefault(key(name), []).append(name)
    return {shared: members[0] for shared, members in names.items() if len(members) == 1}


def _normal_form(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _normal_form(name).casefold()


def _count(pairs: Pairs) -> str:
    return f"{len(pairs)} images and labels"


def _other_kinds(folder: Path) -> str:
    """What a folder without images holds instead, as the end of a sentence."""
    kinds = Counter(path.suffix.lower() for path in folder.iterdir() if path.is_file())
    if not kinds:
        return ""
    found = ", ".join(
        f"{count} {kind or 'without a suffix'}" for kind, count in kinds.most_common(3)
    )
    sentence = f" but files of other kinds ({found}); {', '.join(IMAGE_SUFFIXES)} are read"
    if {".json", ".xml"} & kinds.keys():
        sentence += "; `hyperseg import` reads what annotation tools write"
    return sentence


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("._")


def _by_name(folder: Path, hint: str, notes: list[str]) -> _Files:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; {hint}")
    files: _Files = {}
    resource_forks = 0
    for path in sorted(folder.iterdir()):
        resource_forks += path.name.startswith("._")
        if _is_image(path):
            if path.stem in files:
                raise DatasetError(
                    f"{path}: there is {files[path.stem].name} too; keep one of them"
                )
            files[path.stem] = path
    if resource_forks:
        notes.append(f"{folder}: {resource_forks} files ._NAME of macOS are ignored")
    return files
