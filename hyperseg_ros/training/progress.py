"""Progress of a training run as log lines, for non-interactive runs."""

from __future__ import annotations

import time
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only


@rank_zero_only
def say(text: str) -> None:
    """Print a line at once, in one of the run's processes."""
    print(text, flush=True)


class ProgressLines(Callback):
    """Prints a line every `interval` seconds, and one at the end of each epoch.

    Args:
        interval: seconds between lines within an epoch.
    """

    def __init__(self, interval: float = 30.0) -> None:
        self.interval = interval
        self._started = self._printed = 0.0
        self._first_step = 0
        self._loss_sum = 0.0
        self._losses = 0

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        self._started = self._printed = time.monotonic()
        self._first_step = trainer.global_step

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        self._loss_sum, self._losses = 0.0, 0

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._loss_sum += float(outputs["loss"])
        self._losses += 1
        due = time.monotonic() - self._printed >= self.interval
        if due and not trainer.is_last_batch:
            self._print(trainer)

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            metrics = trainer.callback_metrics
            mious = [
                f"{name} {'none, without labels' if value.isnan() else format(value, '.4f')}"
                for name, value in metrics.items()
                if "miou/" in name
            ]
            print(f"validation: {', '.join(mious)}", flush=True)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        self._print(trainer)

    def _print(self, trainer: lightning.Trainer) -> None:
        if not trainer.is_global_zero:
            return
        self._printed = time.monotonic()
        steps = int(trainer.estimated_stepping_batches)
        done = trainer.global_step
        seconds = (self._printed - self._started) / max(1, done - self._first_step)
        rates = dict.fromkeys(f"{group['lr']:.1e}" for group in trainer.optimizers[0].param_groups)
        print(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} step {done}/{steps} "
            f"loss {self._loss_sum / self._losses:.4f} rates {' '.join(rates)} "
            f"{seconds:.2f} s/step, {seconds * (steps - done) / 60:.0f} min left",
            flush=True,
        )
