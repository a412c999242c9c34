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

from hyperseg_ros import network
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.network.hyperseg import check_size
from hyperseg_ros.training.config import ConfigError, TrainingConfig, load_config
from hyperseg_ros.training.datasets import (
    CAMVID_TERMS,
    LabelledImages,
    load_camvid,
    training_streets,
    validation_streets,
)
from hyperseg_ros.training.ema import MovingAverage
from hyperseg_ros.training.loaders import training_loader, validation_loader
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
        ConfigError: there is nothing to resume, a run would be overwritten, or a size does not fit
            the network.
        DatasetError: the data cannot be trained on.
    """
    folder = config.output / config.name
    last = folder / "checkpoints" / "last.ckpt"
    _check_resumable(config, last, resume)

    lightning.seed_everything(config.seed, workers=True, verbose=False)
    model, origin = starting_network(config)
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
    validation_loaders = [validation_loader(config, images) for images in validation]
    trainer.fit(
        module,
        training_loader(config, training),
        validation_loaders,
        ckpt_path=last if resume else None,
        weights_only=True,
    )
    average.apply(module)
    if not module.miou:
        trainer.validate(module, validation_loaders, verbose=False)

    path = folder / f"{config.name}.pt"
    network.save_checkpoint(
        path,
        model,
        class_names=list(CLASSES.names),
        class_colors=[list(color) for color in CLASSES.colors],
        dataset=" + ".join(images.name for images in training),
        training=_summary(config, training, origin, command),
        miou=module.miou,
        input_size=list(config.input_size),
        terms=CAMVID_TERMS,
    )
    return path


def starting_network(config: TrainingConfig) -> tuple[network.HyperSeg, str]:
    """The network that the run starts with, and how its weights came about.

    Raises:
        ConfigError: the checkpoint to start from is of another variant.
        CheckpointError: it is no checkpoint, or has other classes.
    """
    if config.start_from == Path():
        model = network.build(
            config.variant, num_classes=len(CLASSES), pretrained_encoder=config.pretrained_encoder
        )
        return model, "ImageNet weights" if config.pretrained_encoder else "random weights"
    start, info = network.load_checkpoint(config.start_from)
    model = network.build(config.variant, num_classes=len(CLASSES))
    if start.variant != model.variant:
        raise ConfigError(f"start_from: {config.start_from} is no {config.variant}")
    network.load_weights(model, start.state_dict())
    return model, f"the result of: {info['training']}" if "training" in info else "a checkpoint"


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


def _check_sizes(config: TrainingConfig, divisor: int) -> None:
    for key, size in (
        ("augmentation.crop", config.augmentation.crop),
        ("input_size", config.input_size),
    ):
        try:
            check_size(*size, divisor)
        except ValueError as error:
            raise ConfigError(f"{key}: {error}") from None


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


def _summary(
    config: TrainingConfig, sources: list[LabelledImages], origin: str, command: str
) -> str:
    images = " + ".join(f"{len(source)} images of {source.name}" for source in sources)
    height, width = config.augmentation.crop
    return (
        f"{config.schedule.epochs} epochs on {images}, {height} x {width} crops, "
        f"batch {config.data.batch_size} ({config.data.simulated_per_batch} simulated), "
        f"moving average of weights, seed {config.seed}, from {origin}"
        + (f"; {command}" if command else "")
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
    places = ("data.root", "output", "start_from")
    shown = [text for text in arguments.overrides if not text.startswith(places)]
    command = " ".join(["hyperseg train", arguments.config.name, *shown])
    config = load_config(arguments.config, arguments.overrides)
    path = train(config, arguments.resume, command)
    print(f"saved {path}")
    return 0
