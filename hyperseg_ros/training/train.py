"""A configuration in, a trained checkpoint out."""

from __future__ import annotations

import copy
import logging
import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import (
    Callback,
    LearningRateMonitor,
    ModelCheckpoint,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from hyperseg_ros import network
from hyperseg_ros.files import disk_is_full
from hyperseg_ros.runtime.trained_on import figure_name, with_earlier
from hyperseg_ros.training.average import blend
from hyperseg_ros.training.config import TrainingConfig
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.distillation import find_teacher
from hyperseg_ros.training.ema import MovingAverage
from hyperseg_ros.training.finite import FiniteGuard
from hyperseg_ros.training.gradients import use_fast_gradients
from hyperseg_ros.training.loaders import SegmentationData
from hyperseg_ros.training.module import SegmentationModule
from hyperseg_ros.training.precision import Precision, choose_precision, emulation_warning
from hyperseg_ros.training.progress import ProgressLines, say
from hyperseg_ros.training.resuming import check_data, check_new, check_resumable
from hyperseg_ros.training.sizes import check_sizes
from hyperseg_ros.training.sources import load_data
from hyperseg_ros.training.starting_network import (
    build,
    network_name,
    set_training_mode,
    starting_network,
)

_NOISE = (
    ".*LeafSpec",
    ".*smaller than the logging interval",
    ".*in eval mode at the start of training",
    ".*exists and is not empty",
    ".*does not have many workers",
    "The dirpath has changed",
    "Total length of `list`",
)
"""Warnings of Lightning that ask for nothing."""


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
        DivergedError: the loss or the weights are not finite.
        OSError: a checkpoint could not be written; the previous one is as it was.
    """
    folder = config.output / config.name
    last = folder / "checkpoints" / "last.ckpt"
    path = folder / f"{config.name}.pt"
    saved: dict[str, Any] = {}
    if resume:
        config, saved, ended = check_resumable(config, last, path)
        if ended:
            say(f"the run has ended: {path}; to train on, start_from={path} and another name=...")
            return path
    else:
        check_new(last)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    devices = config.devices or max(1, torch.cuda.device_count())
    divisor = build(config, num_classes=2).size_divisor
    too_large = check_sizes(config, divisor, devices * config.machines)
    config = _with_precision(config)
    if too_large:
        say(too_large)

    training, validation = load_data(config)
    classes = training[0].classes
    counts = [len(images) for images in training]
    check_data(saved, {"class_names": list(classes.names), "training_images": counts}, last)
    model, origin = starting_network(config, training)
    # On CPUs with bfloat16 a step takes less than half the time of the default memory order.
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    use_fast_gradients(model)
    set_training_mode(model, config.freeze_norms)
    teacher = find_teacher(config, training)
    trained_on = " + ".join(images.name for images in training)
    for earlier in (origin.trained_on, teacher.trained_on if teacher else ""):
        trained_on = with_earlier(trained_on, earlier)
    names = [figure_name(trained_on, images.name) for images in validation]
    module = SegmentationModule(model, config, classes, names, counts, trained_on, teacher)

    average = MovingAverage(config.schedule.ema_decay)
    trainer = _trainer(config, folder, devices, [FiniteGuard(config, last), average])
    data = SegmentationData(config, training, validation)
    with _without_noise(), _telling_what_is_left(last):
        _fit(trainer, module, data, average, last if resume else None)
    if trainer.is_global_zero:
        info = _info(module, training, origin.text, command)
        with _telling_what_is_left(last):
            network.save_checkpoint(path, model, **info)
    say(f"saved {path}")
    return path


def _fit(
    trainer: lightning.Trainer,
    module: SegmentationModule,
    data: SegmentationData,
    average: MovingAverage,
    checkpoint: Path | None,
) -> None:
    """Train, leave the averaged weights in the network, and make sure that they are validated.

    Args:
        trainer, module, data: of the run.
        average: a callback of the trainer.
        checkpoint: to go on from; None for none.
    """
    share = module.config.start_share
    start = copy.deepcopy(module.network.state_dict()) if share else {}
    trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    average.apply(module)
    if start:
        blend(module.network, start, share)
        module.miou = {}
    if data.validation and not module.miou:
        trainer.validate(module, data, verbose=False)


def _info(
    module: SegmentationModule, training: list[LabelledImages], origin: str, command: str
) -> dict[str, Any]:
    """What goes into the checkpoint beside the weights: classes, recipe, figures."""
    config, classes = module.config, module.classes
    return {
        **classes.to_info(),
        "dataset": module.trained_on,
        "training": _summary(config, training, origin),
        "command": command,
        "seed": config.seed,
        "miou": {name: miou for name, miou in module.miou.items() if not math.isnan(miou)},
        "iou": {name: dict(zip(classes.names, values)) for name, values in module.iou.items()},
        "input_size": list(config.input_size),
        "terms": training[0].terms,
    }


@contextmanager
def _without_noise() -> Iterator[None]:
    """Ignore the warnings of `_NOISE`."""
    with warnings.catch_warnings():
        for pattern in _NOISE:
            warnings.filterwarnings("ignore", pattern)
        yield


@contextmanager
def _telling_what_is_left(last: Path) -> Iterator[None]:
    """Say what a run is left with where the disk is too full to write a file."""
    try:
        yield
    except OSError as error:
        if not disk_is_full(error):
            raise
        kept = f"the checkpoint before it is whole: {last}; free some space and add --resume"
        hint = kept if last.exists() else "there is no checkpoint yet; free some space"
        message = f"a file of the run could not be written: {error.strerror}; {hint}"
        raise OSError(error.errno, message) from error


def _with_precision(config: TrainingConfig) -> TrainingConfig:
    """The configuration with a precision of this machine's in place of "auto"; says which."""
    if config.precision == "auto":
        choice = choose_precision()
        say(f"precision {choice.precision}: {choice.reason}")
        return replace(config, precision=choice.precision)
    warning = emulation_warning(config.precision)
    if warning:
        say(warning)
    return config


def _trainer(
    config: TrainingConfig, folder: Path, devices: int, callbacks: list[Callback]
) -> lightning.Trainer:
    # Lightning would list the hardware that it has not found.
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    interactive = sys.stderr.isatty()
    several = devices * config.machines > 1
    # Where φ is read from its start, the deeper levels of the context head reach no output.
    idle = network.find_variant(network_name(config)).signal_from_start
    return lightning.Trainer(
        default_root_dir=folder,
        max_epochs=config.schedule.epochs,
        precision=cast(Precision, config.precision),
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
            *callbacks,
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


def _summary(config: TrainingConfig, sources: list[LabelledImages], origin: str) -> str:
    images = " + ".join(f"{len(source)} images of {source.name}" for source in sources)
    height, width = config.augmentation.crop
    teacher = config.distillation.teacher
    taught = f", taught by {teacher.stem}" if teacher != Path() else ""
    share = config.start_share
    kept = f", {share:.0%} of the weights as at its start" if share else ""
    return (
        f"{config.schedule.epochs} epochs on {images}, {height} x {width} crops, "
        f"batch {config.data.batch_size} ({config.data.simulated_per_batch} simulated), "
        f"moving average of weights, seed {config.seed}{taught}{kept}, from {origin}"
    )
