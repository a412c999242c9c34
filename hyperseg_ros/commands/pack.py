"""`hyperseg pack`: a data set into one compact file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.commands.options import positive
from hyperseg_ros.training.datasets import load_dataset
from hyperseg_ros.training.datasets.catalogue import LISTINGS
from hyperseg_ros.training.datasets.packed import LOSSLESS, pack


def main(argv: Sequence[str]) -> int:
    """Pack, and print how well.

    Raises:
        DatasetError: the data cannot be used, or do not fit.
        OSError: the file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="hyperseg pack",
        description="Write splits of a data set to one file, which data.dataset=packed "
        "data.root=FILE trains on. Labels are exact; images are as good as the size allows.",
    )
    parser.add_argument(
        "dataset", metavar="DATASET", choices=LISTINGS, help=f"one of {', '.join(LISTINGS)}"
    )
    parser.add_argument("--root", type=Path, required=True, help="its folder")
    parser.add_argument(
        "--split", nargs="+", default=["train", "val"], help="default: train and val"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--megabytes", type=positive, default=64, metavar="N", help="at most; default: 64"
    )
    options = parser.parse_args(argv)
    sets = [
        load_dataset(options.dataset, options.root, split, check_all=True)
        for split in options.split
    ]
    quality = pack(sets, options.output, options.megabytes * 1_000_000)
    size = options.output.stat().st_size / 1e6
    how = "without loss" if quality == LOSSLESS else f"at WebP quality {quality}"
    print(f"packed {sum(map(len, sets))} images {how} into {options.output} ({size:.1f} MB)")
    return 0
