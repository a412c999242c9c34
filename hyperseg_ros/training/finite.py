"""A run that diverges ends at once: the moving average would keep what is not finite for good."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from hyperseg_ros.training.config import TrainingConfig


class DivergedError(ValueError):
    """The loss or the weights of a run are not finite; the message says when, and what to do."""


class FiniteGuard(Callback):
    """Ends a run after the first step whose loss or weights are not finite.

    Comes before whatever averages or saves weights.

    Args:
        config: the run.
        last: its last checkpoint, if it has one yet.
    """

    def __init__(self, config: TrainingConfig, last: Path) -> None:
        self.config = config
        self.last = last

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at the loss, at the weights and at the statistics of the batch norms.

        Raises:
            DivergedError: one of them is not finite, on one of the devices.
        """
        loss = float(outputs["loss"])
        weights = pl_module.state_dict().values()
        norms = torch._foreach_norm([weight for weight in weights if weight.is_floating_point()])
        finite = bool(torch.stack(norms).sum().isfinite()) and math.isfinite(loss)
        if not trainer.strategy.reduce_boolean_decision(finite, all=True):
            raise DivergedError(self.message(trainer.global_step, loss))

    def message(self, step: int, loss: float) -> str:
        """What happened at a step, what causes it, and what to do."""
        optimizer = self.config.optimizer
        causes = (
            f"the usual cause is a learning rate that is too high (optimizer.learning_rate="
            f"{optimizer.learning_rate:g}, optimizer.encoder_learning_rate="
            f"{optimizer.encoder_learning_rate:g})"
        )
        if self.config.precision == "16-mixed":
            causes += ", or the range of float16 (try precision=32-true)"
        kept = "there is no checkpoint before it"
        if self.last.exists():
            kept = (
                f"the checkpoint before it is good: start a run of another name with lower rates "
                f"and start_from={self.last}"
            )
        what = f"the loss is {loss:g}"
        if math.isfinite(loss):
            what += " and the weights are not finite"
        return f"step {step}: {what}; {causes}; {kept}"
