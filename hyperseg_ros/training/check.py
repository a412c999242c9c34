"""`hyperseg check`: whether a data set can be trained on, as a report and a picture to look at."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.training.datasets.catalogue import LISTINGS, list_dataset
from hyperseg_ros.training.datasets.labelled_images import DatasetError
from hyperseg_ros.training.datasets.listing import Listing
from hyperseg_ros.training.datasets.reading import check_sizes, read_image, read_raw_labels
from hyperseg_ros.training.pictures import (
    captioned,
    in_columns,
    legend,
    row,
    stacked,
    write_picture,
)

_COLUMNS = 3
_LINES = 20
"""Problems of a kind that are listed; the rest are counted."""


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


def report(found: Findings) -> str:
    """The findings as text."""
    lines = [f"{found.name}: {found.images} images with labels, {len(found.classes)} classes"]
    lines += [
        f"  {height} x {width} (height x width): {images} images"
        for (height, width), images in found.sizes.most_common(_LINES)
    ]
    total = max(1, int(found.pixels.sum()))
    width = max(len(name) for name in (*found.classes.names, "(no class)"))
    lines.append(f"  {'id':>3}  {'class':<{width}}  {'pixels %':>8}  {'images':>6}")
    for index, name in enumerate(found.classes.names):
        share = 100 * int(found.pixels[index]) / total
        lines.append(f"  {index:>3}  {name:<{width}}  {share:8.3f}  {found.holding[index]:>6}")
    lines.append(f"  {'':>3}  {'(no class)':<{width}}  {100 * int(found.pixels[-1]) / total:8.3f}")
    lines += [f"  problem: {problem}" for problem in found.problems[:_LINES]]
    if len(found.problems) > _LINES:
        lines.append(f"  and {len(found.problems) - _LINES} more problems")
    if not found.problems:
        lines.append("  no problems")
    return "\n".join(lines)


def sheet(found: Findings) -> NDArray[np.uint8]:
    """The samples beside their labels with the colours' names below, uint8 [H, W, 3] RGB."""
    rows = [
        captioned(row(image, labels, None, found.classes), name)
        for name, image, labels in found.samples
    ]
    samples = in_columns(rows, _COLUMNS)
    return stacked([samples, legend(found.classes, samples.shape[1])])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report of each split; the status is 1 where something is wrong.

    Raises:
        DatasetError: the data set is not there.
    """
    parser = argparse.ArgumentParser(
        prog="hyperseg check",
        description="Decode a whole data set and report sizes, classes, label values out of range, "
        "unpaired files and files that do not decode. The exit status is 1 if there are problems.",
    )
    parser.add_argument(
        "dataset", metavar="DATASET", choices=LISTINGS, help=f"one of {', '.join(LISTINGS)}"
    )
    parser.add_argument("--root", type=Path, required=True, help="its folder")
    parser.add_argument(
        "--split", nargs="+", default=["train", "val"], help="default: train and val"
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="FILE",
        help="write images beside their labels, as PNG or JPEG",
    )
    arguments = parser.parse_args(argv)
    sheets, problems = [], 0
    for split in arguments.split:
        found = check(list_dataset(arguments.dataset, arguments.root, split))
        print(report(found), flush=True)
        problems += len(found.problems)
        if found.samples:
            sheets.append(sheet(found))
    if arguments.sheet and sheets:
        write_picture(arguments.sheet, stacked(sheets))
        print(f"wrote {arguments.sheet}")
    return 1 if problems else 0
