"""The training module: one step of learning, and validation as the model will be deployed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray
from torch import Tensor, nn

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime.resizing import fit_labels
from hyperseg_ros.training.config import OptimizerConfig, TrainingConfig
from hyperseg_ros.training.distillation import Teacher
from hyperseg_ros.training.loaders import Sample
from hyperseg_ros.training.losses import create_loss
from hyperseg_ros.training.pictures import row
from hyperseg_ros.training.prediction import normalize, predict

_SHOWN = 4


class SegmentationModule(lightning.LightningModule):
    """Trains a network on crops and measures it on whole images.

    Args:
        network: the network; images go in normalised, logits at their size come out.
        config: the run.
        classes: the classes that labels and logits stand for.
        validation_names: the name of each validation set, in the order of their loaders.
        training_images: images of each training set; checked when the run is resumed.
        trained_on: the names of all data sets that the weights have seen by the end of the run.
        teacher: a trained network to learn from beside the labels; None for none.
    """

    def __init__(
        self,
        network: nn.Module,
        config: TrainingConfig,
        classes: ClassTable,
        validation_names: list[str],
        training_images: Sequence[int] = (),
        trained_on: str = "",
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.classes = classes
        self.validation_names = validation_names
        self.training_images = training_images
        self.trained_on = trained_on
        self.teacher = teacher
        self.loss = create_loss(config.loss, classes.ground_ids)
        self.matrices: dict[str, ConfusionMatrix] = {}
        self.miou: dict[str, float] = {}
        """mIoU of each validation set after the latest epoch, 0-1; empty where it had none."""
        self.iou: dict[str, list[float]] = {}
        """IoU of each class of each validation set, 0-1, at the latest validation."""

    def training_step(self, batch: Sample, batch_index: int) -> Tensor:
        logits = self.network(normalize(batch.images, self.network))
        loss = self.loss(logits, batch.labels.long())
        if self.teacher:
            taught = self.teacher.loss(logits, batch.clean)
            loss = torch.lerp(loss, taught, self.config.distillation.weight)
        self.log("loss", loss, prog_bar=True, batch_size=len(batch.images))
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self.config.to_dict()
        checkpoint["class_names"] = list(self.classes.names)
        checkpoint["training_images"] = list(self.training_images)
        checkpoint["trained_on"] = self.trained_on

    def on_train_epoch_start(self) -> None:
        self.miou = {}

    def on_validation_epoch_start(self) -> None:
        self.matrices = {name: ConfusionMatrix(len(self.classes)) for name in self.validation_names}

    def validation_step(
        self,
        batch: tuple[Tensor, list[NDArray[np.uint8]]],
        batch_index: int,
        dataloader_idx: int = 0,
    ) -> None:
        images, truths = batch
        name = self.validation_names[dataloader_idx]
        predictions = predict(self.network, images)
        for truth, labels in zip(truths, predictions):
            self.matrices[name].update(truth, fit_labels(labels, truth.shape))
        if batch_index == 0 and not self.trainer.sanity_checking:
            self._show(name, images, truths, predictions)

    def on_validation_epoch_end(self) -> None:
        if self.trainer.sanity_checking:
            return
        for matrix in self.matrices.values():
            counts = torch.from_numpy(matrix.counts)
            matrix.counts[:] = self.trainer.strategy.reduce(
                counts.to(self.device), reduce_op="sum"
            ).cpu()
        self.miou = {name: matrix.miou() for name, matrix in self.matrices.items()}
        self.iou = {name: matrix.iou().tolist() for name, matrix in self.matrices.items()}
        for name, matrix in self.matrices.items():
            self.log(f"miou/{name}", matrix.miou(), rank_zero_only=True)
            for label, iou in zip(self.classes.names, matrix.iou()):
                self.log(f"iou/{name}/{label}", float(iou), rank_zero_only=True)

    def _show(
        self,
        name: str,
        images: Tensor,
        truths: list[NDArray[np.uint8]],
        predictions: NDArray[np.uint8],
    ) -> None:
        """Log the first images of a validation set, their labels and the network's as a picture."""
        writers = [log for log in self.loggers if isinstance(log, TensorBoardLogger)]
        if not writers or not self.trainer.is_global_zero:
            return
        rgb = images[:_SHOWN].permute(0, 2, 3, 1).cpu().numpy()
        rows = [
            row(image, fit_labels(truth, image.shape[:2]), labels, self.classes)
            for image, truth, labels in zip(rgb, truths, predictions)
        ]
        picture = np.concatenate(rows)
        for writer in writers:
            writer.experiment.add_image(name, picture, self.global_step, dataformats="HWC")

    def configure_optimizers(self) -> Any:
        settings, schedule = self.config.optimizer, self.config.schedule
        optimizer = create_optimizer(self.network, settings)
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler: torch.optim.lr_scheduler.LRScheduler
        if schedule.name == "poly":
            scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, steps, schedule.power)
        else:
            # OneCycleLR divides by the steps between the first and the end of the warm-up.
            one_step = steps * schedule.warmup == 1
            scheduler = torch.optim.lr_scheduler.OneCycleLR(
                optimizer,
                max_lr=[group["lr"] for group in optimizer.param_groups],
                total_steps=steps,
                pct_start=0.0 if one_step else schedule.warmup,
                cycle_momentum=False,
            )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def create_optimizer(network: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimiser that a configuration names, for all weights of a network."""
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(parameter_groups(network, config), betas=config.betas, fused=True)


def parameter_groups(network: nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """The network's parameters for an optimiser: encoder or not, with weight decay or without."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        key = (name.startswith("encoder."), parameter.ndim > 1)
        groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": config.encoder_learning_rate if in_encoder else config.learning_rate,
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (in_encoder, decays), parameters in groups.items()
    ]
