"""`hyperseg evaluate`: the figures of a checkpoint or model file on a data set."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.commands.evaluate_images import load_images
from hyperseg_ros.commands.evaluate_options import parse_arguments
from hyperseg_ros.runtime.model_file import find_model, read_card
from hyperseg_ros.runtime.trained_on import OF_A_TWIN, check_twin, figure_name, has_seen
from hyperseg_ros.training.corruptions import CORRUPTIONS
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.evaluation.evaluate import Figures, evaluate
from hyperseg_ros.training.evaluation.labellers import (
    Labeller,
    Trained,
    checkpoint_labeller,
    model_labeller,
)
from hyperseg_ros.training.evaluation.predictions import write_predictions
from hyperseg_ros.training.evaluation.record import record
from hyperseg_ros.training.evaluation.report import report, write_report
from hyperseg_ros.training.evaluation.robustness import Robustness, measure, table, write_robustness
from hyperseg_ros.training.sources import warnings


def main(argv: Sequence[str]) -> int:
    """Measure a model on a data set and print the report.

    Raises:
        ValueError: the model or the data cannot be used, or they differ in their classes.
    """
    options = parse_arguments(argv)
    labeller, classes, trained_on = _trained(options)
    images = load_images(options, classes)
    if classes.names != images.classes.names:
        raise ValueError(
            f"{options.model} knows {', '.join(classes.names)}; the labels of "
            f"{images.name} are {', '.join(images.classes.names)}"
        )
    for warning in warnings(images):
        print(f"warning: {warning}")
    if has_seen(trained_on, images.name):
        print(
            f"warning: {options.model} was trained on {images.name}: these figures say how well it "
            "remembers, not how well it does on new images"
        )
    measured = labeller
    if options.predictions:
        measured = write_predictions(labeller, images, options.predictions)
    recorded, name = _recorded(options, trained_on, images.name)
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
        record(recorded, name, figures, robustness)
        print(f"wrote the figures into the card of {recorded}")
    return 0


def _trained(options: argparse.Namespace) -> Trained:
    """What labels the images, from the checkpoint or model file the options name."""
    averaged = options.flip or options.scales != [1.0]
    is_checkpoint = Path(options.model).suffix in (".pt", ".pth")
    chosen = {options.backend, options.precision} != {"auto"}
    if (options.record or options.record_for) and (is_checkpoint or chosen):
        raise ValueError(
            "--record is for model files, measured as they are deployed: leave out --backend and "
            "--precision"
        )
    if is_checkpoint:
        return checkpoint_labeller(
            Path(options.model), options.variant, options.scales, options.flip
        )
    if averaged:
        raise ValueError(
            "--flip and --scales average probabilities, which a model file does not give; "
            "evaluate the checkpoint it was exported from"
        )
    return model_labeller(options.model, options.backend, options.precision)


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


def _recorded(
    options: argparse.Namespace, trained_on: str, dataset: str
) -> tuple[Path | None, str]:
    """The model file whose card the figures go into, None for none, and their name there."""
    if options.record_for:
        path = _recordable(options.record_for)
        check_twin(read_card(find_model(options.model)), read_card(path), dataset)
        return path, dataset + OF_A_TWIN
    name = figure_name(trained_on, dataset)
    return (_recordable(options.model) if options.record else None), name


def _recordable(model: str) -> Path:
    """The file of a model, where its card can be written: found out before, not after minutes."""
    path = find_model(model).resolve()
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise OSError(f"{path}'s card cannot be written; copy the model, and measure the copy")
    return path
