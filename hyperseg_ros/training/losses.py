"""Cross-entropies that dwell on the pixels the network gets wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.training.config import LossConfig

Loss = Callable[[Tensor, Tensor], Tensor]


def hard_pixel_cross_entropy(
    logits: Tensor, labels: Tensor, hard_fraction: float = 0.25, class_balance: float = 0.0
) -> Tensor:
    """Half the mean cross-entropy and half its mean over the hardest pixels of the batch.

    Args:
        logits: float [N, C, H, W].
        labels: int64 [N, H, W]; `UNLABELLED` pixels count nowhere.
        hard_fraction: share of the labelled pixels that count as hard, above 0, at most 1.
        class_balance: see `balanced_weights`.

    Returns:
        The scalar loss, 0 where nothing is labelled.
    """
    labelled = labels != UNLABELLED
    count = int(labelled.sum())
    weights = balanced_weights(labels[labelled], logits.shape[1], class_balance)
    losses = F.cross_entropy(
        logits.float(), labels, weights, ignore_index=UNLABELLED, reduction="none"
    )
    if count == 0:
        return losses.sum()
    # Unlabelled pixels have a loss of 0, so they are never among the hardest before labelled ones.
    hardest = losses.detach().flatten().topk(math.ceil(hard_fraction * count), sorted=False).values
    hard = losses >= hardest.min()
    return 0.5 * (losses.sum() / count + losses[hard].mean())


def balanced_weights(labels: Tensor, classes: int, balance: float) -> Tensor:
    """A weight for each class, by how rare it is in a batch; 1 on average over the pixels.

    Args:
        labels: int64 [pixels], none unlabelled.
        classes: number of classes C.
        balance: 0 weighs all pixels alike, 1 all classes; between them, pixels of a class that is
            a hundred times rarer weigh 100^balance times as much.

    Returns:
        float32 [C].
    """
    counts = torch.bincount(labels, minlength=classes).clamp(min=1).float()
    weights = counts.pow(-balance)
    return weights * counts.sum() / (weights * counts).sum()


def bootstrapped_cross_entropy(
    logits: Tensor, labels: Tensor, k: int = 4096, threshold: float = 0.3
) -> Tensor:
    """The paper's loss (section 4): the pixels above a threshold, or else the k hardest.

    Each image's loss is the mean over its pixels with a loss above `threshold` when these are more
    than `k`, and over its `k` hardest pixels when not. The result is the mean over the images.

    Args:
        logits: float [N, C, H, W].
        labels: int64 [N, H, W]; `UNLABELLED` pixels have a loss of 0.
        k: fewest pixels of an image that count; all of them in an image that has fewer.
        threshold: cross-entropy, nats.
    """
    losses = F.cross_entropy(logits.float(), labels, ignore_index=UNLABELLED, reduction="none")
    means = []
    for image in losses.flatten(1):
        above = image[image > threshold]
        if above.numel() > k:
            means.append(above.mean())
        else:
            means.append(image.topk(min(k, image.numel()), sorted=False).values.mean())
    return torch.stack(means).mean()


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over the labelled pixels; 0 where there are none.

    Args:
        logits: float [N, C, H, W].
        labels: int64 [N, H, W]; `UNLABELLED` pixels count nowhere.
    """
    total = F.cross_entropy(logits.float(), labels, ignore_index=UNLABELLED, reduction="sum")
    return total / (labels != UNLABELLED).sum().clamp(min=1)


def create_loss(config: LossConfig) -> Loss:
    """The loss that `config` names."""
    if config.name == "bootstrapped":
        return partial(bootstrapped_cross_entropy, k=config.k, threshold=config.threshold)
    if config.name == "cross_entropy":
        return cross_entropy
    return partial(
        hard_pixel_cross_entropy,
        hard_fraction=config.hard_fraction,
        class_balance=config.class_balance,
    )
