"""Measuring a labeller on a set of images."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.evaluation.calibration import Calibration
from hyperseg_ros.training.evaluation.labellers import Labeller


@dataclass(frozen=True)
class ImageResult:
    """The result of one image.

    Attributes:
        index: of the image in its set.
        miou: mean IoU of the classes that are in it or predicted in it, 0-1.
        prediction: class ids, uint8 [H, W].
    """

    index: int
    miou: float
    prediction: NDArray[np.uint8]


@dataclass
class Figures:
    """The results of a set of images.

    Attributes:
        matrix: pixels by true and predicted class.
        calibration: pixels by confidence.
        worst: the images of lowest mIoU, worst first; one without a labelled pixel is never among
            them.
    """

    matrix: ConfusionMatrix
    calibration: Calibration = field(default_factory=Calibration)
    worst: list[ImageResult] = field(default_factory=list)


def evaluate(
    labeller: Labeller, images: LabelledImages, num_classes: int, keep_worst: int = 0
) -> Figures:
    """Count the predictions of every pixel, at the resolution of the labels.

    Args:
        labeller: gives labels of the size of its image.
        images: what to measure it on; a pixel that is `UNLABELLED` counts nowhere.
        num_classes: classes of the labels.
        keep_worst: images of lowest mIoU to give back.
    """
    figures = Figures(ConfusionMatrix(num_classes))
    pairs = zip(images.images, images.labels)
    shown = tqdm(pairs, images.name, total=len(images), disable=None, leave=False)
    for index, (image, truth) in enumerate(shown):
        own = ConfusionMatrix(num_classes)
        labels, confidence = labeller(image)
        own.update(truth, labels)
        figures.matrix.counts += own.counts
        figures.calibration.update(truth, labels, confidence)
        if keep_worst and own.counts.any():
            figures.worst.append(ImageResult(index, own.miou(), labels))
            figures.worst = sorted(figures.worst, key=lambda result: result.miou)[:keep_worst]
    return figures
