"""The files of a split of a data set, and how they become images and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.lazy_sequence import LazySequence
from hyperseg_ros.training.datasets.diagnosis import diagnose
from hyperseg_ros.training.datasets.label_decoding import LabelDecoder
from hyperseg_ros.training.datasets.labelled_images import DatasetError, LabelledImages
from hyperseg_ros.training.datasets.reading import (
    check_sizes,
    is_deep,
    read_image,
    read_raw_labels,
    read_size,
)
from hyperseg_ros.training.datasets.survey import PairFacts, Survey, facts_of

LARGEST_IN_MEMORY = 1_000_000_000
"""Bytes of decoded images and labels up to which a set is held in memory."""

_Pair = tuple["NDArray[np.uint8] | None", "NDArray[np.uint8] | None"]


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
        notes: what was assumed of the files' names, each a line.
        evaluation_ids: as `LabelledImages` has them.
    """

    name: str
    pairs: Sequence[tuple[Path, Path]]
    decoder: LabelDecoder
    classes: ClassTable
    terms: str
    unpaired: Sequence[tuple[Path, Path]] = field(default=())
    notes: Sequence[str] = field(default=())
    evaluation_ids: Sequence[int] | None = None

    def load(self, check_all: bool = False) -> LabelledImages:
        """The images and labels, decoded where they fit into memory.

        Args:
            check_all: look into every label file first, and whether images are whole, where they
                are not decoded anyway, so that a mistake is found now and not hours later.

        Raises:
            DatasetError: a file has no partner, does not decode or does not fit its partner, or
                labels hold values of no class, or the format is lossy.
        """
        if self.unpaired:
            path, absent = self.unpaired[0]
            raise DatasetError(
                f"{path}: no file of this name in {absent} "
                f"({len(self.unpaired)} unpaired files in all)"
            )
        images: Sequence[NDArray[np.uint8]]
        labels: Sequence[NDArray[np.uint8]]
        images = LazySequence([image for image, _ in self.pairs], read_image)
        labels = LazySequence([label for _, label in self.pairs], self.read_labels)
        in_memory = self._fits_into_memory()
        survey = Survey(len(self.classes))
        if in_memory or check_all:
            decoded = list(self._read_all(survey, in_memory))
            if in_memory:
                images = [image for image, _ in decoded if image is not None]
                labels = [ids for _, ids in decoded if ids is not None]
        return LabelledImages(
            self.name,
            images,
            labels,
            self.classes,
            [image.stem for image, _ in self.pairs],
            self.terms,
            self.evaluation_ids,
            survey.pixels[:-1].tolist() if survey.sizes else None,
            (*self.notes, *diagnose(survey, self.classes, self.decoder)),
        )

    def _read_all(self, survey: Survey, keep: bool) -> Iterator[_Pair]:
        """Every pair, looked into; empty pairs unless they are to be kept.

        Raises:
            DatasetError: after all were read, so that it can say what they have in common.
        """
        error: DatasetError | None = None
        with ThreadPoolExecutor() as threads:
            found = threads.map(partial(self._read, keep=keep), self.pairs)
            shown = tqdm(found, f"reading {self.name}", len(self.pairs), disable=None, leave=False)
            for (_, label_path), (image, labels, facts) in zip(self.pairs, shown):
                survey.add(facts)
                if facts.unknown and error is None:
                    error = self._no_class(label_path, facts.unknown)
                yield image, labels
        if error is not None or survey.lossy:
            reasons = [str(error)] if error else []
            reasons += diagnose(survey, self.classes, self.decoder)
            raise DatasetError("; ".join(reasons))

    def _read(
        self, pair: tuple[Path, Path], keep: bool
    ) -> tuple[NDArray[np.uint8] | None, NDArray[np.uint8] | None, PairFacts]:
        facts, image, labels = self.look_at(*pair, decode=keep)
        return (image, labels, facts) if keep else (None, None, facts)

    def look_at(
        self, image_path: Path, label_path: Path, decode: bool = True
    ) -> tuple[PairFacts, NDArray[np.uint8] | None, NDArray[np.uint8]]:
        """What a pair holds, its image, uint8 [H, W, 3] RGB, and its class ids, uint8 [H, W].

        Args:
            image_path, label_path: the files.
            decode: the image too; else it is only looked at whether it is whole, unless it has 16
                bits per channel, whose range is often wrong.

        Raises:
            DatasetError: a file does not decode, or the sizes differ.
        """
        deep = is_deep(image_path)
        image = read_image(image_path) if decode or deep else None
        size = read_size(image_path) if image is None else image.shape[:2]
        raw = read_raw_labels(label_path)
        labels, unknown = self.decoder(raw.pixels, raw.palette)
        check_sizes(image_path, size, label_path, labels.shape)
        facts = facts_of(label_path, raw, labels, unknown, len(self.classes), image, deep)
        return facts, image, labels

    def _fits_into_memory(self) -> bool:
        """Whether all images and labels do, decoded: 3 + 1 bytes per pixel."""
        left = LARGEST_IN_MEMORY
        for image_path, _ in self.pairs:
            height, width = read_size(image_path)
            left -= 4 * height * width
            if left < 0:
                return False
        return True

    def read_labels(self, path: Path) -> NDArray[np.uint8]:
        """The class ids of a label file, uint8 [H, W].

        Raises:
            DatasetError: the file does not decode, or holds values of no class.
        """
        raw = read_raw_labels(path)
        labels, unknown = self.decoder(raw.pixels, raw.palette)
        if unknown:
            raise self._no_class(path, unknown)
        return labels

    def _no_class(self, path: Path, unknown: dict[str, int]) -> DatasetError:
        values = ", ".join(list(unknown)[:5])
        return DatasetError(
            f"{path}: label {values} is none of the {len(self.classes)} classes of "
            f"{self.name} ({self.decoder.expected}); `hyperseg check` lists every such file"
        )
