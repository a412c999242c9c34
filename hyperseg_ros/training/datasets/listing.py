"""The files of a split of a data set, and how they become images and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.training.datasets.label_decoding import LabelDecoder
from hyperseg_ros.training.datasets.labelled_images import DatasetError, LabelledImages
from hyperseg_ros.training.datasets.reading import (
    check_sizes,
    check_whole,
    read_image,
    read_raw_labels,
    read_size,
)

LARGEST_IN_MEMORY = 1_000_000_000
"""Bytes of decoded images and labels up to which a set is held in memory."""


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
        check_whole(image_path)
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
