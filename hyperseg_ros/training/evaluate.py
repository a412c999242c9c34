"""`hyperseg evaluate`: the figures of a checkpoint, or of the very model file that is deployed."""

from __future__ import annotations

import argparse
import csv
import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros import network
from hyperseg_ros.classes import ClassTable
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime.backends import BACKENDS, PRECISIONS
from hyperseg_ros.runtime.markdown import write_card_page
from hyperseg_ros.runtime.model_file import find_model, read_card, write_card
from hyperseg_ros.runtime.resizing import fit_labels
from hyperseg_ros.runtime.segmenter import Segmenter
from hyperseg_ros.training.datasets import DATASETS, DatasetError, LabelledImages, load_dataset
from hyperseg_ros.training.datasets.labelled_images import name_of_image
from hyperseg_ros.training.datasets.streets import (
    DRIVE_FRAMES,
    VALIDATION_DRIVES,
    VALIDATION_FRAMES_PER_DRIVE,
    VALIDATION_SEED,
    render_streets,
    validation_streets,
)
from hyperseg_ros.training.pictures import (
    captioned,
    confusion_picture,
    legend,
    row,
    stacked,
    write_picture,
)
from hyperseg_ros.training.prediction import predict_averaged

VALIDATION_SEEDS = range(VALIDATION_SEED, VALIDATION_SEED + VALIDATION_DRIVES)
"""The drives that the shipped models' training validates on."""

Labeller = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""An image, uint8 [H, W, 3] RGB, in; class ids, uint8 [H, W], out."""


@dataclass(frozen=True)
class ImageResult:
    """What one image came to.

    Attributes:
        index: of the image in its set.
        miou: mean IoU of the classes that are in it or are said to be, 0-1.
        prediction: class ids, uint8 [H, W].
    """

    index: int
    miou: float
    prediction: NDArray[np.uint8]


def evaluate(
    labeller: Labeller, images: LabelledImages, num_classes: int, keep_worst: int = 0
) -> tuple[ConfusionMatrix, list[ImageResult]]:
    """Count what `labeller` says of every pixel, at the resolution of the labels.

    Args:
        labeller: gives labels of the size of its image.
        images: what to measure it on; a pixel that is `UNLABELLED` counts nowhere.
        num_classes: classes of the labels.
        keep_worst: images of lowest mIoU to give back.

    Returns:
        The counts over the whole set, and the worst images, worst first. An image without a
        labelled pixel is never among them.
    """
    matrix = ConfusionMatrix(num_classes)
    worst: list[ImageResult] = []
    pairs = zip(images.images, images.labels)
    shown = tqdm(pairs, images.name, total=len(images), disable=None, leave=False)
    for index, (image, truth) in enumerate(shown):
        own = ConfusionMatrix(num_classes)
        prediction = labeller(image)
        own.update(truth, prediction)
        matrix.counts += own.counts
        if keep_worst and own.counts.any():
            worst.append(ImageResult(index, own.miou(), prediction))
            worst = sorted(worst, key=lambda result: result.miou)[:keep_worst]
    return matrix, worst


def checkpoint_labeller(
    path: Path,
    variant: str | None = None,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> tuple[Labeller, ClassTable]:
    """A checkpoint as a labeller, in float32, and its classes.

    Args:
        path: of `hyperseg train`, or a published one.
        variant: the network of a published one, which doesn't say; its classes and input size.
        scales, flip: as `predict_averaged` takes them.

    Raises:
        ValueError: the checkpoint cannot be read or does not say what it needs to.
    """
    model, info = network.load_checkpoint(path, variant)
    if variant is not None and "class_names" not in info:
        classes, input_size = model.variant.classes, model.variant.size
    else:
        missing = [key for key in ("class_names", "class_colors", "input_size") if key not in info]
        if missing:
            raise ValueError(
                f"{path} does not say its {', '.join(missing)}; evaluate a checkpoint that "
                f"`hyperseg train` saved, or a model file"
            )
        colors = tuple((r, g, b) for r, g, b in info["class_colors"])
        classes = ClassTable(tuple(info["class_names"]), colors)
        input_size = (info["input_size"][0], info["input_size"][1])
    model = model.to(memory_format=torch.channels_last)

    def label(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        labels = predict_averaged(model, image, input_size, scales, flip)
        return fit_labels(labels, image.shape[:2])

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


def write_predictions(labeller: Labeller, images: LabelledImages, folder: Path) -> Labeller:
    """A labeller that also writes what it says: PNG files of ids, in the order of the set.

    The ids are those of the data set's evaluation server where it has one (Cityscapes: 7 for road),
    else the classes' own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = np.arange(256, dtype=np.uint8)
    if images.evaluation_ids is not None:
        table[: len(images.evaluation_ids)] = images.evaluation_ids
    numbers = itertools.count()

    def label(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        labels = labeller(image)
        path = folder / f"{name_of_image(images, next(numbers))}.png"
        if not cv2.imwrite(str(path), table[labels]):
            raise OSError(f"{path} could not be written")
        return labels

    return label


def write_report(
    folder: Path,
    text: str,
    matrix: ConfusionMatrix,
    images: LabelledImages,
    worst: Sequence[ImageResult],
) -> None:
    """Write `report.txt`, `confusion.csv` and `.png`, and the worst images as `worst.jpg`.

    The table counts pixels, true classes in rows; its last column is for pixels that were given
    none of the classes. The picture shows each row's shares in percent. The worst images stand
    from the worst on, each beside its labels and beside what was said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = images.classes.names
    (folder / "report.txt").write_text(text + "\n", encoding="utf-8")
    with (folder / "confusion.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["true \\ predicted", *names, "none"])
        table.writerows([name, *counts] for name, counts in zip(names, matrix.counts.tolist()))
    write_picture(folder / "confusion.png", confusion_picture(matrix, images.classes))
    if worst:
        rows = [
            captioned(
                row(
                    images.images[result.index],
                    images.labels[result.index],
                    result.prediction,
                    images.classes,
                ),
                f"{name_of_image(images, result.index)}   mIoU {100 * result.miou:.1f} %",
            )
            for result in worst
        ]
        rows.append(legend(images.classes, rows[0].shape[1]))
        write_picture(folder / "worst.jpg", stacked(rows))


def record(path: Path, dataset: str, matrix: ConfusionMatrix) -> None:
    """Write figures into the card of a model file, and onto the card's page beside it.

    Args:
        path: the model file.
        dataset: what they were measured on; replaces what the card says of it.
        matrix: the counts.
    """
    if not matrix.counts.any():
        raise ValueError(f"{dataset} has no labelled pixel: there are no figures to record")
    card = read_card(path)
    iou = {name: iou for name, iou in zip(card.classes.names, matrix.iou().tolist()) if iou == iou}
    card = replace(
        card,
        miou={**card.miou, dataset: matrix.miou()},
        iou={**card.iou, dataset: iou},
    )
    write_card(path, card)
    write_card_page(path, card)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure a model on a data set and print the report.

    Raises:
        ValueError: the model or the data cannot be used, or they differ in their classes.
    """
    arguments = _parse(argv)
    averaged = arguments.flip or arguments.scales != [1.0]
    is_checkpoint = Path(arguments.model).suffix in (".pt", ".pth")
    chosen = {arguments.backend, arguments.precision} != {"auto"}
    if arguments.record and (is_checkpoint or chosen):
        raise ValueError(
            "--record is for model files, measured as they are deployed: leave out --backend and "
            "--precision"
        )
    if is_checkpoint:
        labeller, classes = checkpoint_labeller(
            Path(arguments.model), arguments.variant, arguments.scales, arguments.flip
        )
    elif averaged:
        raise ValueError(
            "--flip and --scales average probabilities, which a model file does not give; "
            "evaluate the checkpoint it was exported from"
        )
    else:
        labeller, classes = model_labeller(arguments.model, arguments.backend, arguments.precision)
    images = _load(arguments)
    if classes.names != images.classes.names:
        raise ValueError(
            f"{arguments.model} knows {', '.join(classes.names)}; the labels of "
            f"{images.name} are {', '.join(images.classes.names)}"
        )
    if arguments.predictions:
        labeller = write_predictions(labeller, images, arguments.predictions)
    recorded = _recordable(arguments.model) if arguments.record else None
    keep = arguments.worst if arguments.output else 0
    matrix, worst = evaluate(labeller, images, len(classes), keep)
    how = " with its mirror image" * arguments.flip
    if arguments.scales != [1.0]:
        how += f" at scales {', '.join(f'{scale:g}' for scale in arguments.scales)}"
    text = report(matrix, classes, f"{arguments.model} on {images.name}, {len(images)} images{how}")
    print(text)
    if arguments.output:
        write_report(arguments.output, text, matrix, images, worst)
        print(f"wrote report, confusion matrix and worst images to {arguments.output}/")
    if recorded:
        record(recorded, images.name, matrix)
        print(f"wrote the figures into the card of {recorded}")
    return 0


def _recordable(model: str) -> Path:
    """The file of a model, where its card can be written: found out before, not after minutes."""
    path = find_model(model).resolve()
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise OSError(f"--record: {path} cannot be written; copy the model, and measure the copy")
    return path


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
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
        choices=(*DATASETS, "simulated"),
        help=f"one of {', '.join(DATASETS)}, simulated",
    )
    parser.add_argument("--root", type=Path, help="the data set's folder, or file of packed")
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
        "TensorRT builds its engine anew then",
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
    for option, choices in (("--backend", BACKENDS), ("--precision", PRECISIONS)):
        parser.add_argument(
            option, choices=choices, default="auto", help="of the runtime, for model files"
        )
    return parser.parse_args(argv)


def _load(arguments: argparse.Namespace) -> LabelledImages:
    if arguments.dataset == "simulated":
        seeds = arguments.seeds
        if (seeds, arguments.frames_per_drive) == (VALIDATION_SEEDS, VALIDATION_FRAMES_PER_DRIVE):
            return validation_streets(VALIDATION_DRIVES)
        name = f"simulated seeds {seeds.start} to {seeds.stop - 1}"
        return render_streets(seeds, arguments.frames_per_drive, name)
    if arguments.root is None:
        raise DatasetError(f"{arguments.dataset} needs its folder: add --root FOLDER")
    return load_dataset(arguments.dataset, arguments.root, arguments.split, check_all=True)


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
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds, as 90000:90020")
    return seeds


def _frames(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= DRIVE_FRAMES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {DRIVE_FRAMES}")
    return int(text)
