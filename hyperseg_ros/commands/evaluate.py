"""`hyperseg evaluate`: the figures of a checkpoint or model file on a data set."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.runtime.backends import BACKENDS, PRECISIONS
from hyperseg_ros.runtime.model_file import find_model
from hyperseg_ros.training.corruptions import CORRUPTIONS, SEVERITIES
from hyperseg_ros.training.datasets import DATASETS, DatasetError, LabelledImages, load_dataset
from hyperseg_ros.training.datasets.streets import (
    DRIVE_FRAMES,
    VALIDATION_DRIVES,
    VALIDATION_FRAMES_PER_DRIVE,
    VALIDATION_SEED,
    render_streets,
    validation_streets,
)
from hyperseg_ros.training.evaluation.evaluate import Figures, evaluate
from hyperseg_ros.training.evaluation.labellers import Labeller, checkpoint_labeller, model_labeller
from hyperseg_ros.training.evaluation.predictions import write_predictions
from hyperseg_ros.training.evaluation.record import record
from hyperseg_ros.training.evaluation.report import report, write_report
from hyperseg_ros.training.evaluation.robustness import Robustness, measure, table, write_robustness
from hyperseg_ros.training.sources import warnings

VALIDATION_SEEDS = range(VALIDATION_SEED, VALIDATION_SEED + VALIDATION_DRIVES)
"""The drives that the shipped models' training validates on."""


def main(argv: Sequence[str]) -> int:
    """Measure a model on a data set and print the report.

    Raises:
        ValueError: the model or the data cannot be used, or they differ in their classes.
    """
    options = _parse(argv)
    averaged = options.flip or options.scales != [1.0]
    is_checkpoint = Path(options.model).suffix in (".pt", ".pth")
    chosen = {options.backend, options.precision} != {"auto"}
    if options.record and (is_checkpoint or chosen):
        raise ValueError(
            "--record is for model files, measured as they are deployed: leave out --backend and "
            "--precision"
        )
    if is_checkpoint:
        labeller, classes = checkpoint_labeller(
            Path(options.model), options.variant, options.scales, options.flip
        )
    elif averaged:
        raise ValueError(
            "--flip and --scales average probabilities, which a model file does not give; "
            "evaluate the checkpoint it was exported from"
        )
    else:
        labeller, classes = model_labeller(options.model, options.backend, options.precision)
    images = _load(options, classes)
    if classes.names != images.classes.names:
        raise ValueError(
            f"{options.model} knows {', '.join(classes.names)}; the labels of "
            f"{images.name} are {', '.join(images.classes.names)}"
        )
    for warning in warnings(images):
        print(f"warning: {warning}")
    measured = labeller
    if options.predictions:
        measured = write_predictions(labeller, images, options.predictions)
    recorded = _recordable(options.model) if options.record else None
    keep = options.worst if options.output else 0
    figures = evaluate(measured, images, len(classes), keep)
    how = " with its mirror image" * options.flip
    if options.scales != [1.0]:
        how += f" at scales {', '.join(f'{scale:g}' for scale in options.scales)}"
    text = report(figures, classes, f"{options.model} on {images.name}, {len(images)} images{how}")
    print(text, flush=True)
    robustness = _robustness(options, labeller, images, figures)
    if options.output:
        write_report(options.output, text, figures, images)
        if robustness:
            write_robustness(options.output, robustness, classes)
        print(f"wrote report, confusion matrix and worst images to {options.output}/")
    if recorded:
        means = robustness.means() if robustness else None
        record(recorded, images.name, figures, means)
        print(f"wrote the figures into the card of {recorded}")
    return 0


def _robustness(
    options: argparse.Namespace, labeller: Labeller, images: LabelledImages, clean: Figures
) -> Robustness | None:
    """The figures under corruptions, if they are wanted; printed as they come."""
    if options.corruptions is None:
        return None
    names = options.corruptions or list(CORRUPTIONS)
    found = Robustness()
    for found in measure(labeller, images, len(images.classes), names, options.severities):
        name, by_severity = list(found.miou.items())[-1]
        print(f"{name}: {', '.join(f'{100 * miou:.1f}' for miou in by_severity.values())}")
    print(table(found, clean.matrix.miou()), flush=True)
    return found


def _recordable(model: str) -> Path:
    """The file of a model, where its card can be written: found out before, not after minutes."""
    path = find_model(model).resolve()
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise OSError(f"--record: {path} cannot be written; copy the model, and measure the copy")
    return path


def _parse(argv: Sequence[str]) -> argparse.Namespace:
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
    parser.add_argument(
        "--record",
        action="store_true",
        help="model files: write the figures into the model's card, and its page beside it; "
        "TensorRT then rebuilds its engine",
    )
    parser.add_argument(
        "--worst", type=int, default=8, metavar="N", help="images to show; default: 8"
    )
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
        default=list(SEVERITIES),
        metavar="N",
        help="of the corruptions, 1 to 5; default: all",
    )
    for option, choices in (("--backend", BACKENDS), ("--precision", PRECISIONS)):
        parser.add_argument(
            option, choices=choices, default="auto", help="of the runtime, for model files"
        )
    return parser.parse_args(argv)


def _load(options: argparse.Namespace, classes: ClassTable) -> LabelledImages:
    if options.dataset == "simulated":
        seeds, frames = options.seeds, options.frames_per_drive
        if options.varied:
            name = f"simulated seeds {seeds.start} to {seeds.stop - 1}, varied"
            return render_streets(seeds, frames, name, varied=1)
        if (seeds, frames) == (VALIDATION_SEEDS, VALIDATION_FRAMES_PER_DRIVE):
            return validation_streets(VALIDATION_DRIVES)
        name = f"simulated seeds {seeds.start} to {seeds.stop - 1}"
        return render_streets(seeds, frames, name)
    if options.root is None:
        raise DatasetError(f"{options.dataset} needs its folder: add --root FOLDER")
    if options.dataset == "recording":
        return _recorded(options.root, options.label_topic, classes)
    return load_dataset(options.dataset, options.root, options.split, check_all=True)


def _recorded(root: Path, label_topic: str, classes: ClassTable) -> LabelledImages:
    """The labelled frames of a bag; its ids are taken for those of the model."""
    from hyperseg_ros.recordings.labelled import find_labelled
    from hyperseg_ros.recordings.reading import Recording

    # It stays open to the end of the command: frames are decoded when they are measured.
    found = find_labelled(Recording(root), label_topic, len(classes))
    return LabelledImages(root.name, found.images, found.labels, classes, found.names)


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
