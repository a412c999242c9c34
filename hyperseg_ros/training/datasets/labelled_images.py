"""What every data set is to training and evaluation: images, labels and the classes they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.lazy_sequence import LazySequence


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
        pixels: pixels of each class, [C]; None where they were not counted.
        warnings: what is odd about the files, each a sentence.
    """

    name: str
    images: Sequence[NDArray[np.uint8]]
    labels: Sequence[NDArray[np.uint8]]
    classes: ClassTable
    image_names: Sequence[str] = ()
    terms: str = ""
    evaluation_ids: Sequence[int] | None = None
    pixels: Sequence[int] | None = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


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
    counts = [images.pixels for images in sets if images.pixels is not None]
    return LabelledImages(
        f"{first}/{'+'.join(splits)}",
        _chained([images.images for images in sets]),
        _chained([images.labels for images in sets]),
        sets[0].classes,
        [name for part in names for name in part],
        sets[0].terms,
        sets[0].evaluation_ids,
        [sum(pixels) for pixels in zip(*counts)] if len(counts) == len(sets) else None,
        tuple(warning for images in sets for warning in images.warnings),
    )


def class_pixels(images: LabelledImages) -> Sequence[int]:
    """Pixels per class, [C], counted unless the set has the counts."""
    if images.pixels is not None:
        return images.pixels
    counts = sum(np.bincount(labels.ravel(), minlength=256) for labels in images.labels)
    return [int(count) for count in np.atleast_1d(counts)[: len(images.classes)]]


def _chained(parts: Sequence[Sequence[NDArray[np.uint8]]]) -> Sequence[NDArray[np.uint8]]:
    """Sequences one after the other, without a look at their items."""
    places = [(part, index) for part in parts for index in range(len(part))]
    return LazySequence(places, _item)


def _item(place: tuple[Sequence[NDArray[np.uint8]], int]) -> NDArray[np.uint8]:
    part, index = place
    return part[index]
