"""`hyperseg evaluate`: the figures of a checkpoint, or of the very model file that is deployed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hyperseg_ros import network
from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime.backends import BACKENDS, PRECISIONS
from hyperseg_ros.runtime.resizing import fit_image, fit_labels
from hyperseg_ros.runtime.segmenter import Segmenter
from hyperseg_ros.training.config import DataConfig
from hyperseg_ros.training.datasets import (
    DRIVE_FRAMES,
    VALIDATION_FRAMES_PER_DRIVE,
    VALIDATION_SEED,
    DatasetError,
    LabelledImages,
    load_camvid,
    render_streets,
)
from hyperseg_ros.training.prediction import predict

VALIDATION_SEEDS = range(VALIDATION_SEED, VALIDATION_SEED + DataConfig.simulated_validation_drives)
"""The drives that training validates on by default."""

Labeller = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""An image, uint8 [H, W, 3] RGB, in; class ids, uint8 [H, W], out."""


def evaluate(labeller: Labeller, images: LabelledImages, num_classes: int) -> ConfusionMatrix:
    """Count what `labeller` says of every pixel, at the resolution of the labels.

    Args:
        labeller: gives labels of the size of its image.
        images: what to measure it on; a pixel that is `UNLABELLED` counts nowhere.
        num_classes: classes of the labels.
    """
    matrix = ConfusionMatrix(num_classes)
    for image, truth in zip(images.images, images.labels):
        matrix.update(truth, labeller(image))
    return matrix


def checkpoint_labeller(path: Path) -> tuple[Labeller, ClassTable]:
    """A checkpoint of `hyperseg train` as a labeller, in float32, and its classes.

    Raises:
        ValueError: the checkpoint cannot be read or does not say what it needs to.
    """
    model, info = network.load_checkpoint(path)
    missing = [key for key in ("class_names", "class_colors", "input_size") if key not in info]
    if missing:
        raise ValueError(
            f"{path} does not say its {', '.join(missing)}; evaluate a checkpoint that "
            f"`hyperseg train` saved, or a model file"
        )
    height, width = info["input_size"]
    colors = tuple((r, g, b) for r, g, b in info["class_colors"])
    classes = ClassTable(tuple(info["class_names"]), colors)
    model = model.to(memory_format=torch.channels_last)

    def label(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        batch = torch.from_numpy(fit_image(image, (height, width))).permute(2, 0, 1)[None]
        return fit_labels(predict(model, batch)[0], image.shape[:2])

    return label, classes


def model_labeller(name: str, backend: str, precision: str) -> tuple[Labeller, ClassTable]:
    """A model file, through the runtime that robots use, as a labeller, and its classes."""
    segmenter = Segmenter(name, backend, precision=precision)

    def label(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return segmenter(cv2.cvtColor(image, cv2.COLOR_RGB2BGR)).labels

    return label, segmenter.card.classes


def report(matrix: ConfusionMatrix, classes: ClassTable, title: str) -> str:
    """The IoU of each class, their mean, and the pixel accuracy, in percent, as a table."""
    rows = [*zip(classes.names, matrix.iou())]
    rows += [("mIoU", matrix.miou()), ("pixel accuracy", matrix.pixel_accuracy())]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {100 * value:6.2f}" for name, value in rows]
    return "\n".join([title, *lines])


def main(argv: Sequence[str] | None = None) -> int:
    """Measure a model on a data set and print the report.

    Raises:
        ValueError: the model or the data cannot be used, or they differ in their classes.
    """
    parser = argparse.ArgumentParser(
        prog="hyperseg evaluate",
        description="Per-class IoU, mIoU and pixel accuracy, in percent, at the resolution of the "
        "labels; pixels without a label do not count.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a checkpoint (.pt), a model file, or a shipped model's name"
    )
    parser.add_argument("dataset", metavar="DATASET", choices=("camvid", "simulated"))
    parser.add_argument("--root", type=Path, help="camvid: its folder")
    parser.add_argument("--split", default="val", choices=("train", "val", "test"), help="camvid")
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
    for option, choices in (("--backend", BACKENDS), ("--precision", PRECISIONS)):
        parser.add_argument(
            option, choices=choices, default="auto", help="of the runtime, for model files"
        )
    arguments = parser.parse_args(argv)

    if Path(arguments.model).suffix in (".pt", ".pth"):
        labeller, classes = checkpoint_labeller(Path(arguments.model))
    else:
        labeller, classes = model_labeller(arguments.model, arguments.backend, arguments.precision)
    if classes.names != CAMVID.names:
        raise ValueError(
            f"{arguments.model} knows {', '.join(classes.names)}; the labels of "
            f"{arguments.dataset} are {', '.join(CAMVID.names)}"
        )
    images = _load(arguments)
    matrix = evaluate(labeller, images, len(classes))
    print(report(matrix, classes, f"{arguments.model} on {images.name}, {len(images)} images"))
    return 0


def _load(arguments: argparse.Namespace) -> LabelledImages:
    if arguments.dataset == "simulated":
        seeds = arguments.seeds
        name = f"simulated seeds {seeds.start} to {seeds.stop - 1}"
        return render_streets(seeds, arguments.frames_per_drive, name)
    if arguments.root is None:
        raise DatasetError("camvid needs its folder: add --root FOLDER")
    return load_camvid(arguments.root, arguments.split)


def _seeds(text: str) -> range:
    first, _, end = text.partition(":")
    try:
        seeds = range(int(first), int(end))
    except ValueError:
        seeds = range(0)
    if not seeds or seeds.start < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds, as 90000:90020")
    return seeds


def _frames(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= DRIVE_FRAMES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {DRIVE_FRAMES}")
    return int(text)
