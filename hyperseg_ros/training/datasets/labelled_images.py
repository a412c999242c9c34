"""What every data set is to training and evaluation: images, labels and the classes they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from tqdm import tqdm

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.runtime.decoding import is_cut_short
from hyperseg_ros.training.datasets.decoding import LabelDecoder

LARGEST_IN_MEMORY = 1_000_000_000
"""Bytes of decoded images and labels up to which a set is held in memory."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class DatasetError(ValueError):
    """Data that cannot be trained or evaluated on; the message names the file and the reason."""


@dataclass(frozen=True)
class LabelledImages:
    """Images with their labels. Indexing decodes them, unless they lie decoded in memory.

    Args:
        name: what the set is called in figures, e.g. "camvid/val".
        images: uint8 [H, W, 3] RGB each.
        labels: uint8 [H, W] each, of the image's size; `UNLABELLED` where there is no class.
        classes: what the labels mean.
        image_names: a name for each image, for people; empty where there are none.
        terms: what the data allow models to be used for.
        evaluation_ids: the id of each class in files for an evaluation server; None: the class id.
    """

    name: str
    images: Sequence[NDArray[np.uint8]]
    labels: Sequence[NDArray[np.uint8]]
    classes: ClassTable
    image_names: Sequence[str] = ()
    terms: str = ""
    evaluation_ids: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Listing:
    """The files of a split of a data set, before any is decoded.

    Args:
        name: what the set is called in figures.
        pairs: each image file and its label file.
        decoder: from the pixels of a label file to class ids.
        classes: what the labels mean.
        terms: what the data allow models to be used for.
        unpaired: files without a partner, and the folder that lacks it.
        evaluation_ids: as `LabelledImages` has them.
    """

    name: str
    pairs: Sequence[tuple[Path, Path]]
    decoder: LabelDecoder
    classes: ClassTable
    terms: str
    unpaired: Sequence[tuple[Path, Path]] = field(default=())
    evaluation_ids: Sequence[int] | None = None

    def load(self, check_all: bool = False) -> LabelledImages:
        """The images and labels, decoded where they fit into memory.

        Args:
            check_all: look into every label file first, and whether images are whole, where they
                are not decoded anyway, so that a mistake is found now and not hours later.

        Raises:
            DatasetError: a file has no partner, does not decode or does not fit its partner, or
                labels hold what is no class.
        """
        if self.unpaired:
            path, absent = self.unpaired[0]
            raise DatasetError(
                f"{path}: no file of this name in {absent} "
                f"({len(self.unpaired)} unpaired files in all)"
            )
        images: Sequence[NDArray[np.uint8]]
        labels: Sequence[NDArray[np.uint8]]
        images = _Decoded([image for image, _ in self.pairs], read_image)
        labels = _Decoded([label for _, label in self.pairs], self.read_labels)
        if self._decoded_bytes() <= LARGEST_IN_MEMORY:
            images, labels = list(images), list(labels)
            for (image_path, label_path), image, ids in zip(self.pairs, images, labels):
                check_sizes(image_path, image.shape[:2], label_path, ids.shape)
        elif check_all:
            with ThreadPoolExecutor() as threads:
                checks = threads.map(self._check_pair, self.pairs)
                for _ in tqdm(
                    checks,
                    f"checking {self.name}",
                    total=len(self.pairs),
                    disable=None,
                    leave=False,
                ):
                    pass
        names = [image.stem for image, _ in self.pairs]
        return LabelledImages(
            self.name, images, labels, self.classes, names, self.terms, self.evaluation_ids
        )

    def _decoded_bytes(self) -> int:
        """Bytes that all images and labels have decoded, 3 + 1 a pixel, from the files' heads."""
        with ThreadPoolExecutor() as threads:
            sizes = threads.map(read_size, [image for image, _ in self.pairs])
            return sum(4 * height * width for height, width in sizes)

    def _check_pair(self, pair: tuple[Path, Path]) -> None:
        image_path, label_path = pair
        _whole(image_path)
        check_sizes(
            image_path, read_size(image_path), label_path, self.read_labels(label_path).shape
        )

    def read_labels(self, path: Path) -> NDArray[np.uint8]:
        """The class ids of a label file, uint8 [H, W].

        Raises:
            DatasetError: the file does not decode, or holds what is no class.
        """
        labels, unknown = self.decoder(*read_raw_labels(path))
        if unknown:
            values = ", ".join(list(unknown)[:5])
            raise DatasetError(
                f"{path}: label {values} is none of the {len(self.classes)} classes of "
                f"{self.name} ({self.decoder.expected}); `hyperseg check` lists every such file"
            )
        return labels


class _Decoded(Sequence[NDArray[np.uint8]]):
    """Files that are decoded when they are looked at."""

    def __init__(self, paths: Sequence[Path], read: Callable[[Path], NDArray[np.uint8]]) -> None:
        self.paths = paths
        self.read = read

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[NDArray[np.uint8]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8] | Sequence[NDArray[np.uint8]]:
        if isinstance(index, slice):
            return _Decoded(self.paths[index], self.read)
        return self.read(self.paths[index])


def name_of_image(images: LabelledImages, index: int) -> str:
    """The image's name, or its number where it has none."""
    name = images.image_names[index] if images.image_names else ""
    return name or f"image {index}"


def joined(sets: Sequence[LabelledImages]) -> LabelledImages:
    """Several splits of a data set as one; names that repeat are led by that of the split."""
    if len(sets) == 1:
        return sets[0]
    first, _, split = sets[0].name.rpartition("/")
    splits = [split, *(images.name.rpartition("/")[2] for images in sets[1:])]
    names = [list(images.image_names) or [""] * len(images) for images in sets]
    given = [name for part in names for name in part if name]
    if len(set(given)) < len(given):
        names = [
            [name and f"{split}-{name}" for name in part] for split, part in zip(splits, names)
        ]
    return LabelledImages(
        f"{first}/{'+'.join(splits)}",
        _Chained([images.images for images in sets]),
        _Chained([images.labels for images in sets]),
        sets[0].classes,
        [name for part in names for name in part],
        sets[0].terms,
        sets[0].evaluation_ids,
    )


class _Chained(Sequence[NDArray[np.uint8]]):
    """Sequences one after the other."""

    def __init__(self, parts: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[NDArray[np.uint8]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8] | Sequence[NDArray[np.uint8]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        part = int(np.searchsorted(self.ends, index, side="right"))
        return self.parts[part][index - int(self.ends[part]) + len(self.parts[part])]


Pairs = list[tuple[Path, Path]]


def pair_files(
    image_folder: Path, label_folder: Path, hint: str, label_suffix: str = ""
) -> tuple[Pairs, Pairs]:
    """The images and labels of the same name in two folders, whatever their kind of file.

    Args:
        image_folder, label_folder: where they lie.
        hint: how the data set should look, for the error.
        label_suffix: what a label file's name has more than its image's, before the dot.

    Returns:
        The pairs of image and label file, sorted by name; and each file without a partner, with
        the folder where there is none.

    Raises:
        DatasetError: a folder is missing, or holds no images.
    """
    images, labels = (_by_name(folder, hint) for folder in (image_folder, label_folder))
    if not images:
        raise DatasetError(f"{image_folder}: there are no images in this folder; {hint}")
    partners = {name + label_suffix: path for name, path in images.items()}
    pairs = [(partners[name], labels[name]) for name in sorted(partners.keys() & labels.keys())]
    unpaired = [(partners[name], label_folder) for name in sorted(partners.keys() - labels.keys())]
    unpaired += [(labels[name], image_folder) for name in sorted(labels.keys() - partners.keys())]
    return pairs, unpaired


def _by_name(folder: Path, hint: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; {hint}")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            if path.stem in files:
                raise DatasetError(
                    f"{path}: there is {files[path.stem].name} too; keep one of them"
                )
            files[path.stem] = path
    return files


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file, uint8 [H, W, 3] RGB, with its pixels as they are stored, whatever EXIF says.

    Raises:
        DatasetError: it cannot be read, is cut short or does not decode.
    """
    content = np.frombuffer(_whole(path), np.uint8)
    try:
        # As the node decodes what cameras send.
        image = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise DatasetError(f"{path}: this image does not decode")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _whole(path: Path) -> bytes:
    """The bytes of an image file, none missing at its end."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot read this image: {error.strerror}") from None
    if is_cut_short(content):
        raise DatasetError(
            f"{path}: this image is cut short, at {len(content)} bytes; copy it again"
        )
    return content


def read_raw_labels(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The pixels of a label file, and its palette.

    Returns:
        Ids, or indices of the palette, uint8 [H, W], or RGB [H, W, 3]; and the RGB colour of each
        index, uint8 [N, 3], or None where it has no palette.

    Raises:
        DatasetError: it does not decode, or has other channels than these.
    """
    palette = None
    try:
        with Image.open(path) as image:
            mode = image.mode
            raw = np.asarray(image.convert("RGB") if mode == "RGBA" else image)
            if mode == "P":
                palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path}: this label image does not decode ({error})") from None
    if mode not in ("L", "P", "RGB", "RGBA"):
        raise DatasetError(
            f"{path}: labels are one 8-bit channel of ids, a palette, or 8-bit RGB colours, "
            f"not an image of mode {mode}"
        )
    return raw, palette


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of an image file, from its head.

    Raises:
        DatasetError: it does not decode.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, UnidentifiedImageError):
        raise DatasetError(f"{path}: this image does not decode") from None


def check_sizes(
    image_path: Path, image: Sequence[int], label_path: Path, labels: Sequence[int]
) -> None:
    """Raise DatasetError where labels are not as high and wide as their image."""
    if tuple(labels) != tuple(image):
        turned = tuple(labels) == tuple(image)[::-1] and _orientation(image_path) > 1
        hint = "; its EXIF orientation, which is not applied, turns it: turn its pixels instead"
        raise DatasetError(
            f"{label_path}: the labels are {labels[1]} x {labels[0]}, "
            f"the image {image_path.name} is {image[1]} x {image[0]}{hint * turned}"
        )


def _orientation(path: Path) -> int:
    """The EXIF orientation of an image file: 1, also where it has none, for pixels as stored."""
    with Image.open(path) as image:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
