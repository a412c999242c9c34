"""`hyperseg check`: whether a data set can be trained on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.training.check import check
from hyperseg_ros.training.check_report import report, sheet
from hyperseg_ros.training.datasets.catalogue import LISTINGS, list_dataset
from hyperseg_ros.training.pictures import check_picture_path, stacked, write_picture


def main(argv: Sequence[str]) -> int:
    """Print the report of each split; the status is 1 where something is wrong.

    Raises:
        ValueError: the data set is not there, or the sheet's name has no suffix of an image.
    """
    parser = argparse.ArgumentParser(
        prog="hyperseg check",
        description="Decode a data set and report sizes, classes, label values out of range, "
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
    options = parser.parse_args(argv)
    if options.sheet:
        check_picture_path(options.sheet)
    sheets, problems = [], 0
    for split in options.split:
        found = check(list_dataset(options.dataset, options.root, split))
        print(report(found), flush=True)
        problems += len(found.problems)
        if found.samples:
            sheets.append(sheet(found))
    if options.sheet and sheets:
        write_picture(options.sheet, stacked(sheets))
        print(f"wrote {options.sheet}")
    return 1 if problems else 0
