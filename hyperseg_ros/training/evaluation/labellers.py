"""Whatever gives an image labels: a checkpoint, or a model file through the runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hyperseg_ros import network
from hyperseg_ros.classes import ClassTable
from hyperseg_ros.runtime.model_file import find_model
from hyperseg_ros.runtime.resizing import fit_labels
from hyperseg_ros.runtime.segmenter import Segmenter
from hyperseg_ros.training.model_weights import check_model_weights
from hyperseg_ros.training.prediction import predict_averaged


class Prediction(NamedTuple):
    """The prediction of an image.

    Attributes:
        labels: class ids, uint8 [H, W].
        confidence: probability of the class x 255, uint8 [H, W].
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


Labeller = Callable[[NDArray[np.uint8]], Prediction]
"""An image, uint8 [H, W, 3] RGB, in; labels and confidence of its size out."""


class Trained(NamedTuple):
    """A trained network that is measured.

    Attributes:
        label: gives an image labels.
        classes: of the labels.
        trained_on: names of the data sets, with " + " between them; empty where it is not known.
    """

    label: Labeller
    classes: ClassTable
    trained_on: str


def checkpoint_labeller(
    path: Path,
    variant: str | None = None,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> Trained:
    """A checkpoint as a labeller, in float32.

    Args:
        path: of `hyperseg train`, or a published one.
        variant: the network of a published one, which doesn't say; its classes and input size.
        scales, flip: as `predict_averaged` takes them.

    Raises:
        ValueError: the checkpoint cannot be read or lacks its classes or input size.
    """
    model, info = network.load_checkpoint(path, variant)
    if variant is not None and "class_names" not in info:
        known = network.find_variant(model.name)
        classes, input_size = known.classes, known.size
    else:
        missing = [key for key in ("class_names", "class_colors", "input_size") if key not in info]
        if missing:
            raise ValueError(
                f"{path} does not say its {', '.join(missing)}; evaluate a checkpoint that "
                f"`hyperseg train` saved, or a model file"
            )
        classes = ClassTable.from_info(info)
        input_size = (info["input_size"][0], info["input_size"][1])
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def label(image: NDArray[np.uint8]) -> Prediction:
        labels, confidence = predict_averaged(model, image, input_size, scales, flip)
        size = image.shape[:2]
        return Prediction(fit_labels(labels, size), fit_labels(confidence, size))

    return Trained(label, classes, str(info.get("dataset", "")))


def model_labeller(name: str, backend: str, precision: str) -> Trained:
    """A model file, through the runtime that robots use, as a labeller.

    Raises:
        ValueError: the file is no model, or its weights are not finite.
    """
    check_model_weights(find_model(name))
    segmenter = Segmenter.open(name, backend, precision=precision)

    def label(image: NDArray[np.uint8]) -> Prediction:
        found = segmenter(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return Prediction(found.labels, found.confidence)

    return Trained(label, segmenter.card.classes, segmenter.card.dataset)
