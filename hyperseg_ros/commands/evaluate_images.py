"""The labelled images that `hyperseg evaluate` is told to measure on."""

from __future__ import annotations

import argparse
from pathlib import Path

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.commands.evaluate_options import VALIDATION_SEEDS
from hyperseg_ros.training.datasets import DatasetError, LabelledImages, load_dataset
from hyperseg_ros.training.datasets.streets import (
    VALIDATION_DRIVES,
    VALIDATION_FRAMES_PER_DRIVE,
    render_streets,
    validation_streets,
)


def load_images(options: argparse.Namespace, classes: ClassTable) -> LabelledImages:
    """A data set, simulated drives, or a recording.

    Args:
        options: of the command line.
        classes: of the model.

    Raises:
        ValueError: the data cannot be used.
    """
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
