"""What `hyperseg evaluate` can be told."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.runtime.backends import BACKENDS, PRECISIONS
from hyperseg_ros.training.corruptions import CORRUPTIONS, SEVERITIES
from hyperseg_ros.training.datasets import DATASETS
from hyperseg_ros.training.datasets.streets import (
    DRIVE_FRAMES,
    VALIDATION_DRIVES,
    VALIDATION_FRAMES_PER_DRIVE,
    VALIDATION_SEED,
)

VALIDATION_SEEDS = range(VALIDATION_SEED, VALIDATION_SEED + VALIDATION_DRIVES)
"""The drives that the shipped models' training validates on."""


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="hyperseg evaluate",
        description="Per-class IoU, mIoU and pixel accuracy, in percent, at the resolution of the "
        "labels; pixels without a label do not count.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a checkpoint (.pt), a model file, or a shipped model's name"
    )
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        choices=(*DATASETS, "simulated", "recording"),
        help=f"one of {', '.join(DATASETS)}, simulated, or recording: a bag with a label topic",
    )
    parser.add_argument(
        "--root", type=Path, help="the data set's folder, the file of packed, or the bag"
    )
    parser.add_argument(
        "--label-topic",
        default="",
        metavar="TOPIC",
        help="recording: sensor_msgs/Image of class ids with the stamps of the images; default: "
        "ground_truth or label in the namespace of a camera",
    )
    parser.add_argument("--split", default="val", help="default: val; several as in train+val")
    parser.add_argument("--variant", metavar="NAME", help="for published checkpoints")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="write report, confusion matrix and worst images there",
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="FOLDER",
        help="write the labels there, as PNG with the ids that the data set's server wants",
    )
    recording = parser.add_mutually_exclusive_group()
    recording.add_argument(
        "--record",
        action="store_true",
        help="model files: write the figures into the model's card, and its page beside it; "
        "TensorRT then rebuilds its engine",
    )
    recording.add_argument(
        "--record-for",
        metavar="MODEL",
        help="write them into the card of this model file instead, which was trained on the data "
        "set too and cannot be measured on it: MODEL is its twin, of the same recipe without it",
    )
    parser.add_argument(
        "--worst", type=int, default=8, metavar="N", help="images to show; default: 8"
    )
    _add_checkpoint_options(parser)
    _add_simulation_options(parser)
    _add_corruption_options(parser)
    for option, choices in (("--backend", BACKENDS), ("--precision", PRECISIONS)):
        parser.add_argument(
            option, choices=choices, default="auto", help="of the runtime, for model files"
        )
    options = parser.parse_args(argv)
    if options.severities and options.corruptions is None:
        parser.error("--severities is for --corruptions")
    options.severities = sorted(set(options.severities or SEVERITIES))
    return options


def _add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--flip", action="store_true", help="checkpoints: average with the mirror image"
    )
    parser.add_argument(
        "--scales",
        type=_scale,
        nargs="+",
        default=[1.0],
        metavar="S",
        help="checkpoints: average over these factors of the input size, as 0.75 1 1.25",
    )


def _add_simulation_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seeds",
        type=_seeds,
        default=VALIDATION_SEEDS,
        metavar="FIRST:END",
        help=f"simulated: the drives, END excluded (default {VALIDATION_SEEDS.start}:"
        f"{VALIDATION_SEEDS.stop}, never trained on)",
    )
    parser.add_argument(
        "--frames-per-drive",
        type=_frames,
        default=VALIDATION_FRAMES_PER_DRIVE,
        metavar="N",
        help=f"simulated: 1 to {DRIVE_FRAMES} (default {VALIDATION_FRAMES_PER_DRIVE})",
    )
    parser.add_argument(
        "--varied",
        action="store_true",
        help="simulated: with other mounts, lenses, weathers and buildings",
    )


def _add_corruption_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--corruptions",
        nargs="*",
        choices=CORRUPTIONS,
        metavar="NAME",
        help="measure under a camera's troubles too: mIoU by corruption and severity; all of "
        f"{', '.join(CORRUPTIONS)}, or those named; --output and --record keep it",
    )
    parser.add_argument(
        "--severities",
        type=int,
        nargs="+",
        choices=SEVERITIES,
        metavar="N",
        help="of the corruptions, 1 to 5; default: all",
    )


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0.1 <= scale <= 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a factor from 0.1 to 10")
    return scale


def _seeds(text: str) -> range:
    first, _, end = text.partition(":")
    try:
        seeds = range(int(first), int(end))
    except ValueError:
        seeds = range(0)
    if not seeds or seeds.start < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds, such as 90000:90020")
    return seeds


def _frames(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= DRIVE_FRAMES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {DRIVE_FRAMES}")
    return int(text)
