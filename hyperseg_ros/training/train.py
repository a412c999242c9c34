"""`hyperseg train`: a configuration in, a trained checkpoint out."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader

from hyperseg_ros import network
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.training.augmentation import Augmentation
from hyperseg_ros.training.config import ConfigError, TrainingConfig, load_config
from hyperseg_ros.training.datasets import (
    CAMVID_TERMS,
    LabelledImages,
    MixtureSampler,
    TrainingMixture,
    ValidationImages,
    load_camvid,
    training_streets,
    validation_streets,
)
from hyperseg_ros.training.ema import MovingAverage
from hyperseg_ros.training.module import SegmentationModule
from hyperseg_ros.training.progress import ProgressLines

CLASSES = CAMVID


def train(config: TrainingConfig, resume: bool = False, command: str = "") -> Path:
    """Train a network and save the moving average of its weights.

    Args:
        config: the run.
        resume: go on from the last checkpoint of the run, as if it had never been interrupted.
        command: the command line that started the run, for the saved training summary.

    Returns:
        The checkpoint, `output/name/name.pt`, as `hyperseg_ros.network.load_checkpoint` reads it.

    Raises:
        ConfigError: there is nothing to resume, or a run that would be overwritten.
        DatasetError: the data cannot be trained on.
    """
    folder = config.output / config.name
    last = folder / "checkpoints" / "last.ckpt"
    _check_resumable(config, last, resume)

    lightning.seed_everything(config.seed, workers=True, verbose=False)
    model = network.build(
        config.variant, num_classes=len(CLASSES), pretrained_encoder=config.pretrained_encoder
    )
    _check_sizes(config, model.size_divisor)
    # On CPUs with bfloat16 a step takes less than half the time of the default memory order.
    model = model.to(memory_format=torch.channels_last)
    training, validation = load_data(config)
    module = SegmentationModule(model, config, CLASSES, [images.name for images in validation])

    # Lightning greets with the hardware it has not found.
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    average = MovingAverage(config.schedule.ema_decay)
    interactive = sys.stderr.isatty()
    trainer = lightning.Trainer(
        default_root_dir=folder,
        max_epochs=config.schedule.epochs,
        precision=config.precision,
        logger=[
            TensorBoardLogger(folder, name="tensorboard", version=""),
            CSVLogger(folder, name="metrics"),
        ],
        callbacks=[
            average,
            ModelCheckpoint(
                folder / "checkpoints",
                filename="last",
                enable_version_counter=False,
                save_on_train_epoch_end=True,
            ),
            LearningRateMonitor("step"),
            TQDMProgressBar() if interactive else ProgressLines(),
        ],
        check_val_every_n_epoch=config.schedule.validate_every,
        num_sanity_val_steps=1,
        log_every_n_steps=10,
        enable_progress_bar=interactive,
        enable_model_summary=False,
    )
    trainer.fit(
        module,
        training_loader(config, training),
        [validation_loader(config, images) for images in validation],
        ckpt_path=last if resume else None,
        weights_only=True,
    )
    average.apply(module)
    if not module.miou:
        trainer.validate(
            module, [validation_loader(config, images) for images in validation], verbose=False
        )

    path = folder / f"{config.name}.pt"
    network.save_checkpoint(
        path,
        model,
        class_names=list(CLASSES.names),
        class_colors=[list(color) for color in CLASSES.colors],
        dataset=" + ".join(images.name for images in training),
        training=_summary(config, training, command),
        miou=module.miou,
        input_size=list(config.input_size),
        terms=CAMVID_TERMS,
    )
    return path


def load_data(
    config: TrainingConfig,
) -> tuple[list[LabelledImages], list[LabelledImages]]:
    """The sets to train on, the first of which sets the length of an epoch, and to validate on."""
    data = config.data
    if data.root == Path():
        raise ConfigError("data.root is not set: add data.root=FOLDER, the folder of CamVid")
    print("loading images and rendering simulated streets", flush=True)
    training = [load_camvid(data.root, "train")]
    validation = [load_camvid(data.root, "val")]
    if data.simulated_per_batch:
        training.append(training_streets(data.simulated_drives, data.frames_per_drive))
    if data.simulated_validation_drives:
        validation.append(validation_streets(data.simulated_validation_drives))
    return training, validation


def training_loader(config: TrainingConfig, sources: list[LabelledImages]) -> DataLoader[Any]:
    """Batches of augmented crops, uint8 [N, 3, H, W], and labels, uint8 [N, H, W]."""
    data = config.data
    per_batch = [data.batch_size - data.simulated_per_batch, data.simulated_per_batch]
    return DataLoader(
        TrainingMixture(sources, Augmentation(config.augmentation, config.input_size)),
        batch_size=data.batch_size,
        sampler=MixtureSampler(
            [len(source) for source in sources], per_batch[: len(sources)], config.seed
        ),
        num_workers=data.workers,
        persistent_workers=data.workers > 0,
    )


def validation_loader(config: TrainingConfig, images: LabelledImages) -> DataLoader[Any]:
    """Batches of whole images at the input size, with their labels at their own."""
    return DataLoader(
        ValidationImages(images, config.input_size),
        batch_size=config.data.batch_size,
        collate_fn=ValidationImages.collate,
    )


def _check_sizes(config: TrainingConfig, divisor: int) -> None:
    for key, size in (
        ("augmentation.crop", config.augmentation.crop),
        ("input_size", config.input_size),
    ):
        nearest = [max(divisor, round(side / divisor) * divisor) for side in size]
        if nearest != list(size):
            raise ConfigError(
                f"{key}: {list(size)} does not fit {config.variant}, whose sizes are multiples "
                f"of {divisor}; the nearest is {nearest}"
            )


def _check_resumable(config: TrainingConfig, last: Path, resume: bool) -> None:
    if not resume:
        if last.exists():
            raise ConfigError(
                f"{last}: this run has begun already; add --resume to go on, "
                f"or give the new one another name=... or output=..."
            )
        return
    if not last.exists():
        raise ConfigError(f"{last}: there is no such checkpoint to resume; leave --resume out")
    saved = torch.load(last, map_location="cpu", weights_only=True)["config"]
    changed = _changes(saved, config.to_dict())
    if changed:
        raise ConfigError(
            f"{last}: the run to resume has another configuration: {'; '.join(changed)}"
        )


def _changes(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """What changes the result of a run: all but where things lie and who loads them."""
    changes = []
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _changes(old, new, f"{prefix}{key}.")
        elif old != new and f"{prefix}{key}" not in ("output", "data.root", "data.workers"):
            changes.append(f"{prefix}{key} was {old}, is {new}")
    return changes


def _summary(config: TrainingConfig, sources: list[LabelledImages], command: str) -> str:
    images = " + ".join(f"{len(source)} images of {source.name}" for source in sources)
    height, width = config.augmentation.crop
    return (
        f"{config.schedule.epochs} epochs on {images}, {height} x {width} crops, "
        f"batch {config.data.batch_size} ({config.data.simulated_per_batch} simulated), "
        f"moving average of weights, seed {config.seed}; {command}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Train, and print where the result lies."""
    parser = argparse.ArgumentParser(
        prog="hyperseg train",
        description="Train a network and save the moving average of its weights.",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="YAML file of the run")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="replaces a value of the file, as data.root=FOLDER or schedule.epochs=2",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the run's last checkpoint"
    )
    arguments = parser.parse_intermixed_args(argv)
    # Where things lie on this machine is nobody else's business.
    shown = [text for text in arguments.overrides if not text.startswith(("data.root", "output"))]
    command = " ".join(["hyperseg train", arguments.config.name, *shown])
    config = load_config(arguments.config, arguments.overrides)
    path = train(config, arguments.resume, command)
    print(f"saved {path}")
    return 0
