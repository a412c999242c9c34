"""`hyperseg import`: what an annotation tool writes, as a data set to train on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.training.annotations.formats import FORMATS
from hyperseg_ros.training.annotations.importing import import_annotations


def main(argv: Sequence[str]) -> int:
    """Import, and say what the labels do not hold.

    Raises:
        ValueError: the annotations or images cannot be used.
        OSError: a file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="hyperseg import",
        description="Write a split of a `folder` data set from the annotations of a tool: images, "
        "labels as PNG, classes.yaml if there is none yet. Classes go by name; later instances lie "
        "over earlier ones.",
        epilog="sources: " + "; ".join(f"{name}: {tool.source}" for name, tool in FORMATS.items()),
    )
    parser.add_argument("format", metavar="FORMAT", choices=FORMATS, help=", ".join(FORMATS))
    parser.add_argument("source", type=Path, metavar="SOURCE", help="file or folder of annotations")
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--output", type=Path, required=True, metavar="DATA", help="the data set")
    parser.add_argument("--split", default="train", help="default: train")
    parser.add_argument(
        "--background",
        default="",
        metavar="CLASS",
        help="of pixels that no annotation covers; default: they are void, not learned",
    )
    parser.add_argument(
        "--ground",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="classes to drive or walk on, which free space needs; for a new classes.yaml",
    )
    options = parser.parse_args(argv)
    annotations = FORMATS[options.format].read(options.source)
    found = import_annotations(
        annotations,
        options.images,
        options.output,
        options.split,
        options.background,
        options.ground,
    )
    print(f"{found.images} images, {len(found.classes)} classes: {', '.join(found.classes.names)}")
    for line in found.lost():
        print(f"not kept: {line}")
    print(f"wrote {options.output / options.split}; look at it with hyperseg check folder")
    return 0
