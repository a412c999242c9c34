"""What a labeller gets right on a set of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.evaluation.labellers import Labeller


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
