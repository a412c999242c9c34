"""Predictions as files, as a data set's evaluation server takes them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.image_files import write_image
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.datasets.labelled_images import name_of_image
from hyperseg_ros.training.evaluation.labellers import Labeller, Prediction


def write_predictions(labeller: Labeller, images: LabelledImages, folder: Path) -> Labeller:
    """A labeller that also writes its predictions: PNG files of ids, in the order of the set.

    The ids are those of the data set's evaluation server where it has one (Cityscapes: 7 for road),
    else the classes' own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = np.arange(256, dtype=np.uint8)
    if images.evaluation_ids is not None:
        table[: len(images.evaluation_ids)] = images.evaluation_ids
    numbers = itertools.count()

    def label(image: NDArray[np.uint8]) -> Prediction:
        found = labeller(image)
        write_image(folder / f"{name_of_image(images, next(numbers))}.png", table[found.labels])
        return found

    return label
