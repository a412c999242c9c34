"""Losses that dwell on what matters: hard pixels, the IoU of rare classes, where ground ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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


def lovasz_softmax(logits: Tensor, labels: Tensor, step: int = 3) -> Tensor:
    """A surrogate of 1 - mIoU (Berman, Rannen Triki, Blaschko, CVPR 2018, equations 9 and 11).

    Cross-entropy counts pixels, so rare classes hardly weigh; this counts IoU, over the pixels of a
    device's share of the batch, and takes the mean of the classes that occur in it.

    Args:
        logits: float [N, C, H, W].
        labels: int64 [N, H, W]; `UNLABELLED` pixels count nowhere.
        step: looks at every step-th row and column, since all errors of a class are sorted.

    Returns:
        The scalar loss, 0 to 1; 0 where nothing is labelled.
    """
    logits, labels = logits[:, :, ::step, ::step], labels[:, ::step, ::step]
    labelled = labels != UNLABELLED
    probabilities = logits.float().softmax(dim=1).transpose(0, 1)[:, labelled]
    truth = F.one_hot(labels[labelled], logits.shape[1]).t().to(probabilities.dtype)
    occurs = truth.any(dim=1)
    if not occurs.any():
        return logits[..., :0].float().sum()
    truth = truth[occurs]
    errors, order = (truth - probabilities[occurs]).abs().sort(dim=1, descending=True)
    return (errors * _lovasz_gradient(truth.gather(1, order))).sum(dim=1).mean()


def _lovasz_gradient(truth: Tensor) -> Tensor:
    """How much each further error adds to the Jaccard loss; errors sorted, float [C, pixels]."""
    size = truth.sum(dim=1, keepdim=True)
    intersection = size - truth.cumsum(dim=1)
    union = size + (1 - truth).cumsum(dim=1)
    jaccard = 1 - intersection / union
    return torch.diff(jaccard, dim=1, prepend=torch.zeros_like(size))


def ground_edge_cross_entropy(
    logits: Tensor, labels: Tensor, ground: Sequence[int], reach: int = 3
) -> Tensor:
    """The mean cross-entropy of "ground or not" beside the lines where ground ends.

    Free space is read off these lines: which class stands there, or whether road or pavement ends,
    changes no range, but a line that is off by a few pixels does.

    Args:
        logits: float [N, C, H, W].
        labels: int64 [N, H, W]; `UNLABELLED` pixels count nowhere, and end no ground.
        ground: ids of the classes that are ground.
        reach: a pixel counts where ground and something else are within so many pixels, by rows
            and columns.

    Returns:
        The scalar loss in nats; 0 where no ground ends.
    """
    logits = logits.float()
    others = [each for each in range(logits.shape[1]) if each not in ground]
    is_ground = torch.isin(labels, labels.new_tensor(ground))
    labelled = labels != UNLABELLED
    sides = torch.stack([is_ground, labelled & ~is_ground], dim=1).float()
    near = F.max_pool2d(sides, 2 * reach + 1, stride=1, padding=reach).amin(dim=1) > 0
    scores = logits[:, [*ground]].logsumexp(dim=1) - logits[:, others].logsumexp(dim=1)
    losses = F.binary_cross_entropy_with_logits(scores, is_ground.float(), reduction="none")
    counts = near & labelled
    return losses[counts].sum() / counts.sum().clamp(min=1)


def create_loss(config: LossConfig, ground: Sequence[int] = ()) -> Loss:
    """The loss that `config` names.

    Args:
        config: what it is made of.
        ground: ids of the classes that are ground; needed where `config.ground_edge` is not 0.
    """
    pixels = _pixel_loss(config)

    def mixed(logits: Tensor, labels: Tensor) -> Tensor:
        loss = pixels(logits, labels)
        if config.lovasz:
            loss = torch.lerp(loss, lovasz_softmax(logits, labels), config.lovasz)
        if config.ground_edge:
            edge = ground_edge_cross_entropy(logits, labels, ground)
            loss = torch.lerp(loss, edge, config.ground_edge)
        return loss

    return mixed


def _pixel_loss(config: LossConfig) -> Loss:
    if config.name == "bootstrapped":
        return partial(bootstrapped_cross_entropy, k=config.k, threshold=config.threshold)
    if config.name == "cross_entropy":
        return cross_entropy
    return partial(
        hard_pixel_cross_entropy,
        hard_fraction=config.hard_fraction,
        class_balance=config.class_balance,
    )
