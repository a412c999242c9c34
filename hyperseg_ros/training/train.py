"""A configuration in, a trained checkpoint out."""

from __future__ import annotations

import errno
import logging
import sys
from pathlib import Path
from typing import NoReturn

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from hyperseg_ros import network
from hyperseg_ros.network.hyperseg import check_size
from hyperseg_ros.training.config import ConfigError, TrainingConfig
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.ema import MovingAverage
from hyperseg_ros.training.gradients import use_fast_gradients
from hyperseg_ros.training.loaders import SegmentationData
from hyperseg_ros.training.module import SegmentationModule
from hyperseg_ros.training.progress import ProgressLines, say
from hyperseg_ros.training.resuming import check_data, check_resumable
from hyperseg_ros.training.sources import load_data
from hyperseg_ros.training.starting_network import build, network_name, starting_network


def train(config: TrainingConfig, resume: bool = False, command: str = "") -> Path:
    """Train a network and save the moving average of its weights.

    Args:
        config: the run.
        resume: go on from the last checkpoint of the run, as if it had never been interrupted.
        command: the command line that started the run, for the saved training summary.

    Returns:
        The checkpoint, `output/name/name.pt`, as `hyperseg_ros.network.load_checkpoint` reads it.

    Raises:
        ConfigError: there is nothing to resume or it had another configuration or other data, a
            run would be overwritten, or a size or the classes do not fit.
        DatasetError: the data cannot be trained on.
        OSError: a checkpoint could not be written; the previous one is as it was.
    """
    folder = config.output / config.name
    last = folder / "checkpoints" / "last.ckpt"
    saved = check_resumable(config, last, resume)

    lightning.seed_everything(config.seed, workers=True, verbose=False)
    divisor = build(config, num_classes=2).size_divisor
    _check_sizes(config, divisor)
    training, validation = load_data(config)
    classes = training[0].classes
    counts = [len(images) for images in training]
    check_data(saved, {"class_names": list(classes.names), "training_images": counts}, last)
    model, origin = starting_network(config, training)
    # On CPUs with bfloat16 a step takes less than half the time of the default memory order.
    model = model.to(memory_format=torch.channels_last)
    use_fast_gradients(model)
    names = [images.name for images in validation]
    module = SegmentationModule(model, config, classes, names, counts)

    # Lightning greets with the hardware it has not found.
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    average = MovingAverage(config.schedule.ema_decay)
    trainer = _trainer(config, folder, average)
    data = SegmentationData(config, training, validation)
    try:
        trainer.fit(module, data, ckpt_path=last if resume else None, weights_only=True)
    except OSError as error:
        _raise_unwritten(error, last)
    average.apply(module)
    if validation and not module.miou:
        trainer.validate(module, data, verbose=False)

    path = folder / f"{config.name}.pt"
    if trainer.is_global_zero:
        try:
            network.save_checkpoint(
                path,
                model,
                **classes.to_info(),
                dataset=" + ".join(images.name for images in training),
                training=_summary(config, training, origin),
                command=command,
                seed=config.seed,
                miou=module.miou,
                iou={name: dict(zip(classes.names, values)) for name, values in module.iou.items()},
                input_size=list(config.input_size),
                terms=training[0].terms,
            )
        except OSError as error:
            _raise_unwritten(error, last)
    say(f"saved {path}")
    return path


def _trainer(config: TrainingConfig, folder: Path, average: MovingAverage) -> lightning.Trainer:
    interactive = sys.stderr.isatty()
    devices = config.devices or max(1, torch.cuda.device_count())
    several = devices * config.machines > 1
    # Where φ is read from its start, the deeper levels of the context head reach no output.
    idle = network.find_variant(network_name(config)).signal_from_start
    return lightning.Trainer(
        default_root_dir=folder,
        max_epochs=config.schedule.epochs,
        precision=config.precision,
        devices=devices,
        num_nodes=config.machines,
        strategy=DDPStrategy(find_unused_parameters=idle) if several else "auto",
        sync_batchnorm=several and torch.cuda.is_available(),
        use_distributed_sampler=False,
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


def _raise_unwritten(error: OSError, last: Path) -> NoReturn:
    """Say what a run is left with where a file could not be written for want of space."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise error
    kept = f"the checkpoint before it is whole: {last}; free some space and add --resume"
    hint = kept if last.exists() else "there is no checkpoint yet; free some space"
    message = f"a file of the run could not be written: {error.strerror}; {hint}"
    raise OSError(error.errno, message) from error


def _check_sizes(config: TrainingConfig, divisor: int) -> None:
    for key, size in (
        ("augmentation.crop", config.augmentation.crop),
        ("input_size", config.input_size),
    ):
        try:
            check_size(*size, divisor)
        except ValueError as error:
            raise ConfigError(f"{key}: {error}") from None


def _summary(config: TrainingConfig, sources: list[LabelledImages], origin: str) -> str:
    images = " + ".join(f"{len(source)} images of {source.name}" for source in sources)
    height, width = config.augmentation.crop
    return (
        f"{config.schedule.epochs} epochs on {images}, {height} x {width} crops, "
        f"batch {config.data.batch_size} ({config.data.simulated_per_batch} simulated), "
        f"moving average of weights, seed {config.seed}, from {origin}"
    )
