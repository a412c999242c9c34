"""`hyperseg export-labels`: the labels of a data set, as an annotation tool imports them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.training.annotations.exporting import LOST, export_labels
from hyperseg_ros.training.annotations.formats import FORMATS
from hyperseg_ros.training.datasets.catalogue import LISTINGS, list_dataset


def main(argv: Sequence[str]) -> int:
    """Export, and say what the files do not hold.

    Raises:
        ValueError: the data set cannot be used.
        OSError: a file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="hyperseg export-labels",
        description="Write the labels of a split as files that an annotation tool imports.",
    )
    parser.add_argument("format", metavar="FORMAT", choices=FORMATS, help=", ".join(FORMATS))
    parser.add_argument(
        "dataset", metavar="DATASET", choices=LISTINGS, help=f"one of {', '.join(LISTINGS)}"
    )
    parser.add_argument("--root", type=Path, required=True, help="its folder")
    parser.add_argument("--split", default="train", help="default: train")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    options = parser.parse_args(argv)
    listing = list_dataset(options.dataset, options.root, options.split)
    images = export_labels(listing, FORMATS[options.format], options.output)
    print(f"wrote the labels of {images} images to {options.output}")
    print(f"not kept: {LOST}")
    return 0
