"""Offsets of the classes' scores under which a trained network's mIoU is highest.

A constant added to each class's scores moves the borders between classes, and goes into the last
bias: it costs nothing. With the classes of ground held and no other class lowered, no pixel of
something that stands on the ground becomes ground.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.network import HyperSeg
from hyperseg_ros.network.dynamic_conv_norm import DynamicConvNorm
from hyperseg_ros.network.folding import deployed
from hyperseg_ros.training.config import TrainingConfig
from hyperseg_ros.training.loaders import Sample
from hyperseg_ros.training.prediction import normalize

CANDIDATES: NDArray[np.float32] = (np.arange(31) / 20).astype(np.float32)
"""The offsets to choose from, float32, ascending from 0."""
_PIXELS_PER_BATCH = 8192
"""Most pixels of a source that are looked at in a batch."""
_ROUNDS = 4


class Pixels(NamedTuple):
    """Labelled pixels that a network has seen.

    Attributes:
        scores: logits, float32 [n, classes].
        truth: class ids, int64 [n].
    """

    scores: NDArray[np.float32]
    truth: NDArray[np.int64]


def as_deployed(config: TrainingConfig) -> TrainingConfig:
    """A run's configuration, its images whole and as they are, but for the corrupted ones."""
    plain = replace(
        config.augmentation,
        crop=config.input_size,
        scale=(1.0, 1.0),
        aspect=1.0,
        rotation=0.0,
        flip=0.0,
        brightness=0.0,
        contrast=0.0,
        saturation=0.0,
        hue=0.0,
        gamma=1.0,
        blur=0.0,
        noise=0.0,
    )
    return replace(config, augmentation=plain)


def see(
    network: HyperSeg, batches: Iterable[Sample], per_batch: Sequence[int], seed: int = 0
) -> list[Pixels]:
    """What a network makes of pixels drawn at random from batches.

    Args:
        network: trained; it is left as it is.
        batches: as `training_loader` gives them.
        per_batch: images of each source in a batch, in order.
        seed: of the draw.

    Returns:
        The pixels of each source that has any with a label.
    """
    seeing = deployed(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    random = np.random.default_rng(seed)
    found: list[list[Pixels]] = [[] for _ in per_batch]
    for batch in batches:
        with torch.inference_mode():
            scores = seeing(normalize(batch.images, seeing)).permute(0, 2, 3, 1).numpy()
        first = 0
        for pixels, count in zip(found, per_batch):
            part = slice(first, first + count)
            pixels.append(_draw(scores[part], batch.labels[part].numpy(), random))
            first += count
    joined = [
        Pixels(
            np.concatenate([p.scores for p in pixels]), np.concatenate([p.truth for p in pixels])
        )
        for pixels in found
        if pixels
    ]
    return [pixels for pixels in joined if len(pixels.truth)]


def fit_offsets(sources: Sequence[Pixels], held: Sequence[int] = ()) -> NDArray[np.float32]:
    """The offsets of highest mIoU, the mean over the sources, by coordinate ascent.

    Args:
        sources: pixels of each; at least one.
        held: ids of the classes whose scores stay as they are.

    Returns:
        Of `CANDIDATES`, float32 [classes]; 0 for classes that are held.
    """
    count = sources[0].scores.shape[1]
    offsets = np.zeros(count, np.float32)
    for _ in range(_ROUNDS):
        before = offsets.copy()
        for label in sorted(set(range(count)) - set(held)):
            curves = [_miou_by_offset(pixels, offsets, label) for pixels in sources]
            offsets[label] = CANDIDATES[np.mean(curves, axis=0).argmax()]
        if np.array_equal(offsets, before):
            break
    return offsets


@torch.no_grad()
def add_offsets(network: HyperSeg, offsets: NDArray[np.float32]) -> None:
    """Put offsets, float32 [classes], into the bias of a network's last norm."""
    last = network.decoder.meta_blocks()[-1]
    norm = getattr(last, list(last.weights_per_channel)[-1])
    assert isinstance(norm, DynamicConvNorm)
    norm.bias.add_(torch.from_numpy(offsets).to(norm.bias))


def miou(pixels: Pixels, offsets: NDArray[np.float32]) -> float:
    """mIoU of pixels under offsets, float32 [classes]: 0-1, over the classes that occur."""
    confusion = ConfusionMatrix(len(offsets))
    labels = (pixels.scores + offsets).argmax(axis=1)
    confusion.update(pixels.truth.astype(np.uint8), labels.astype(np.uint8))
    return confusion.miou()


def _draw(
    scores: NDArray[np.float32], labels: NDArray[np.uint8], random: np.random.Generator
) -> Pixels:
    """Labelled pixels of images, of scores [N, H, W, C] and labels [N, H, W]."""
    labelled = np.flatnonzero(labels != UNLABELLED)
    if len(labelled) > _PIXELS_PER_BATCH:
        labelled = random.choice(labelled, _PIXELS_PER_BATCH, replace=False)
    flat = scores.reshape(-1, scores.shape[-1])
    return Pixels(flat[labelled], labels.reshape(-1)[labelled].astype(np.int64))


def _miou_by_offset(
    pixels: Pixels, offsets: NDArray[np.float32], label: int
) -> NDArray[np.float64]:
    """mIoU for each candidate of one class's offset, those of the others kept: [candidates]."""
    scores = pixels.scores + offsets
    scores[:, label] = -np.inf
    rival = scores.argmax(axis=1)
    highest = scores[np.arange(len(scores)), rival]
    # The first candidate under which the pixel is of this class; one too many for none.
    step = np.searchsorted(CANDIDATES, highest - pixels.scores[:, label])
    steps, count = len(CANDIDATES) + 1, len(offsets)
    index = (step * count + pixels.truth) * count + rival
    pairs = np.bincount(index, minlength=steps * count**2).reshape(steps, count, count)
    taken = np.cumsum(pairs, axis=0)[:-1]
    matrices = pairs.sum(axis=0) - taken
    matrices[:, :, label] += taken.sum(axis=2)
    return _mean_iou(matrices)


def _mean_iou(matrices: NDArray[np.int64]) -> NDArray[np.float64]:
    """mIoU of confusion matrices, int64 [N, C, C]: float64 [N], over the classes that occur."""
    intersection = np.diagonal(matrices, axis1=1, axis2=2)
    union = matrices.sum(axis=1) + matrices.sum(axis=2) - intersection
    shares = intersection / np.maximum(union, 1)
    mean: NDArray[np.float64] = shares.sum(axis=1) / np.maximum((union > 0).sum(axis=1), 1)
    return mean
