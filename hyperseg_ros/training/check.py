"""Whether a data set can be trained on: all that is wrong with its files and labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.training.datasets.labelled_images import DatasetError
from hyperseg_ros.training.datasets.listing import Listing
from hyperseg_ros.training.datasets.reading import check_sizes, read_image, read_raw_labels


@dataclass
class Findings:
    """What a data set holds and what is wrong with it.

    Attributes:
        name: of the set.
        classes: of its labels.
        images: pairs of image and labels that were looked at.
        sizes: pairs by height and width.
        pixels: pixels by class, int64 [C + 1]; the last are those without a class.
        holding: images with at least one pixel of the class, int64 [C].
        problems: what is wrong, each a line.
        samples: some images with their labels, for a picture.
    """

    name: str
    classes: ClassTable
    images: int
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    holding: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    problems: list[str] = field(default_factory=list)
    samples: list[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]] = field(default_factory=list)


def check(listing: Listing, samples: int = 12) -> Findings:
    """Decode every file of a split, and collect all that is wrong instead of stopping at it.

    Args:
        listing: the split.
        samples: images to keep for a picture, spread over the split.
    """
    count = len(listing.classes)
    found = Findings(listing.name, listing.classes, len(listing.pairs))
    found.pixels, found.holding = np.zeros(count + 1, np.int64), np.zeros(count, np.int64)
    found.problems += [f"{path}: no partner in {absent}" for path, absent in listing.unpaired]
    chosen = set(np.linspace(0, len(listing.pairs) - 1, samples).round().astype(int).tolist())
    shown = tqdm(listing.pairs, listing.name, disable=None, leave=False)
    for index, (image_path, label_path) in enumerate(shown):
        try:
            image = read_image(image_path)
            labels, unknown = listing.decoder(*read_raw_labels(label_path))
            check_sizes(image_path, image.shape[:2], label_path, labels.shape)
        except DatasetError as error:
            found.problems.append(str(error))
            continue
        if unknown:
            pixels = ", ".join(f"{value} ({n} pixels)" for value, n in list(unknown.items())[:5])
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            found.problems.append(f"{label_path}: labels of no class: {pixels}{more}")
        counts = np.bincount(labels.ravel(), minlength=256)
        found.pixels[:count] += counts[:count]
        found.pixels[count] += counts[count:].sum()
        found.holding += counts[:count] > 0
        found.sizes[labels.shape[0], labels.shape[1]] += 1
        if index in chosen:
            found.samples.append((image_path.stem, image, labels))
    absent = [name for name, pixels in zip(listing.classes.names, found.pixels) if not pixels]
    if absent and found.sizes:
        found.problems.append(f"classes that no pixel has: {', '.join(absent)}")
    return found
