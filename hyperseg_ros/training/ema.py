"""The moving average of the weights, which is what validation, checkpoints and users get."""

from __future__ import annotations

from collections.abc import Sequence

import lightning
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class MovingAverage(WeightAveraging):
    """Exponential moving average of parameters and of batch-normalisation statistics.

    The average after n updates moves by 1 - min(decay, n / (9 + n)): early on it follows the
    weights closely, since there is little to average. The running means and variances are averaged
    like the weights they belong to; counters are copied. The first update copies the network.

    Args:
        decay: share of the average that an update keeps in the long run, 0 to below 1.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=True, multi_avg_fn=self.move)
        self.decay = decay

    def apply(self, module: lightning.LightningModule) -> None:
        """Give `module` the averaged weights."""
        self._copy_average_to_current(module)

    def move(self, averages: Sequence[Tensor], weights: Sequence[Tensor], n: Tensor) -> None:
        """Move averages towards the weights in place, after `n` updates."""
        updates = float(n)
        decay = min(self.decay, updates / (9 + updates))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(list(averages), list(weights), 1 - decay)
        else:
            for average, weight in zip(averages, weights):
                average.copy_(weight)
