"""Learning from a larger network as well as from labels (Hinton, Vinyals, Dean, arXiv 1503.02531).

The teacher looks at each crop as it was before it was degraded, so that the student learns to see
in noise, dusk and rain what the teacher sees in good light. It has an opinion on unlabelled pixels
and on borders, where labels are silent or rough.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from hyperseg_ros.network import HyperSeg
from hyperseg_ros.sizes import check_size
from hyperseg_ros.training.config import ConfigError, TrainingConfig
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.prediction import normalize
from hyperseg_ros.training.starting_network import trained_network


class Teacher:
    """A trained network that is asked and does not learn.

    It is no module, so that no checkpoint, average or optimiser takes its weights for the run's.

    Args:
        network: of the student's classes, and a size divisor that the crops fit.
        trained_on: names of the data sets it has seen, which the student learns of from it.
    """

    def __init__(self, network: HyperSeg, trained_on: str = "") -> None:
        self.network = network.eval().requires_grad_(False)
        self.trained_on = trained_on

    def loss(self, logits: Tensor, images: Tensor) -> Tensor:
        """The mean Kullback-Leibler divergence of the student's probabilities from the teacher's.

        Args:
            logits: the student's, float [N, C, H, W].
            images: uint8 [N, 3, H, W] RGB, before they were degraded.

        Returns:
            The scalar loss in nats; 0 where both agree.
        """
        self.network.to(images.device)
        with torch.no_grad():
            taught = self.network(normalize(images, self.network)).float().log_softmax(dim=1)
        given = logits.float().log_softmax(dim=1)
        divergence = functional.kl_div(given, taught, reduction="none", log_target=True)
        return divergence.sum(dim=1).mean()


def find_teacher(config: TrainingConfig, training: Sequence[LabelledImages]) -> Teacher | None:
    """The teacher that a configuration names; None where it names none.

    Raises:
        ConfigError: it is of other classes, or crops do not fit it; else as `trained_network`.
    """
    path = config.distillation.teacher
    if path == Path():
        return None
    key = "distillation.teacher"
    model, origin = trained_network(key, path, config, training)
    try:
        check_size(*config.augmentation.crop, model.size_divisor)
    except ValueError as error:
        raise ConfigError(f"augmentation.crop, for {key}: {error}") from None
    return Teacher(model, origin.trained_on)
