"""`hyperseg train`: a configuration in, a trained checkpoint out."""

from __future__ import annotations

import argparse
import difflib
import errno
import logging
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only

from hyperseg_ros import network
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.network.hyperseg import check_size
from hyperseg_ros.runtime.memory import LARGEST_TENSOR, keep_freed_memory
from hyperseg_ros.runtime.model_file import find_model, read_card
from hyperseg_ros.training.config import ConfigError, TrainingConfig, load_config
from hyperseg_ros.training.datasets import LabelledImages, load_dataset
from hyperseg_ros.training.datasets.streets import training_streets, validation_streets
from hyperseg_ros.training.ema import MovingAverage
from hyperseg_ros.training.loaders import SegmentationData, training_loader
from hyperseg_ros.training.model_weights import load_model_weights
from hyperseg_ros.training.module import SegmentationModule
from hyperseg_ros.training.prediction import normalize
from hyperseg_ros.training.progress import ProgressLines

CONFIGS = "config/training"
_STATISTICS_BATCHES = 8
_PLACES = ("output", "data.root", "data.workers", "devices", "machines")
"""What may change when a run is resumed: where things lie and who computes them."""
_DATA = ("class_names", "training_images")
"""What a checkpoint says of the data, which stay the same when a run is resumed."""


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
    saved = _check_resumable(config, last, resume)

    lightning.seed_everything(config.seed, workers=True, verbose=False)
    divisor = build(config, num_classes=2).size_divisor
    _check_sizes(config, divisor)
    training, validation = load_data(config)
    classes = training[0].classes
    counts = [len(images) for images in training]
    _check_data(saved, {"class_names": list(classes.names), "training_images": counts}, last)
    model, origin = starting_network(config, training)
    # On CPUs with bfloat16 a step takes less than half the time of the default memory order.
    model = model.to(memory_format=torch.channels_last)
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
                class_names=list(classes.names),
                class_colors=[list(color) for color in classes.colors],
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


def build(config: TrainingConfig, num_classes: int) -> network.HyperSeg:
    """The network that a configuration names, untrained.

    Raises:
        ConfigError: there is no such variant or encoder.
    """
    try:
        return network.build(network_name(config), num_classes=num_classes)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def network_name(config: TrainingConfig) -> str:
    """The name of the network with the changes that the configuration makes."""
    return network.compose_name(config.variant, config.encoder, config.dynamic)


def starting_network(
    config: TrainingConfig, training: Sequence[LabelledImages]
) -> tuple[network.HyperSeg, str]:
    """The network that the run starts with, and how its weights came about.

    Raises:
        ConfigError: what to start from is of another network or of other classes.
        CheckpointError, ModelFileError: it is neither a checkpoint nor a model file.
    """
    classes = training[0].classes
    if config.start_from == Path():
        weights = config.encoder_weights if config.encoder_weights != Path() else None
        model = network.build(
            network_name(config),
            num_classes=len(classes),
            pretrained_encoder=config.pretrained_encoder,
            encoder_weights=weights,
        )
        pretrained = config.pretrained_encoder or weights
        return model, "ImageNet weights" if pretrained else "random weights"
    return _continued(config, training)


def _continued(
    config: TrainingConfig, training: Sequence[LabelledImages]
) -> tuple[network.HyperSeg, str]:
    """The network with the weights of a checkpoint or model file, and that one's recipe."""
    start, classes = config.start_from, training[0].classes
    model = build(config, len(classes))
    if start.suffix in (".pt", ".pth"):
        found, info = network.load_checkpoint(start)
        name, recipe = network.name_of(found), info.get("training", "")
        known = tuple(info.get("class_names", ()))
    else:
        start = find_model(start)
        card = read_card(start)
        name, known, recipe = card.variant, card.classes.names, card.training
    if name != network.name_of(model):
        raise ConfigError(f"start_from: {start} is no {network.name_of(model)}, but a {name}")
    if known != classes.names:
        raise ConfigError(
            f"start_from: {start} knows the classes {', '.join(known)}; "
            f"those of the data are {', '.join(classes.names)}"
        )
    if start.suffix in (".pt", ".pth"):
        network.load_weights(model, found.state_dict())
    else:
        crops = islice(training_loader(config, training), _STATISTICS_BATCHES)
        load_model_weights(model, start, (normalize(images, model) for images, _ in crops))
    return model, f"the result of: {recipe}" if recipe else "a checkpoint"


def load_data(
    config: TrainingConfig,
) -> tuple[list[LabelledImages], list[LabelledImages]]:
    """The sets to train on, the first of which sets the length of an epoch, and to validate on.

    Raises:
        ConfigError: the folder is not given, or sets differ in their classes.
        DatasetError: the data are not there, or cannot be used.
    """
    data = config.data
    if data.root == Path():
        raise ConfigError("data.root is not set: add data.root=FOLDER, the folder of the data set")
    _say("loading images")
    training = [load_dataset(data.dataset, data.root, data.train, check_all=True)]
    validation = []
    if data.val:
        validation.append(load_dataset(data.dataset, data.root, data.val, check_all=True))
    streets = data.simulated_per_batch or data.simulated_validation_drives
    if streets and training[0].classes.names != CAMVID.names:
        raise ConfigError(
            f"data.simulated_fraction and data.simulated_validation_drives must be 0: simulated "
            f"streets have the classes of camvid, {training[0].name} has "
            f"{', '.join(training[0].classes.names)}"
        )
    if streets:
        _say("rendering simulated streets")
    if data.simulated_per_batch:
        training.append(training_streets(data.simulated_drives, data.frames_per_drive))
    if data.simulated_validation_drives:
        validation.append(validation_streets(data.simulated_validation_drives))
    return training, validation


def find_config(name_or_path: str) -> Path:
    """The file of a configuration, given as a path or as the name of a published one.

    Raises:
        ConfigError: there is none; names those that are published.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or len(path.parts) != 1:
        return path
    folders = (
        Path(__file__).resolve().parents[2] / CONFIGS,
        Path(sys.prefix, "share", "hyperseg_ros", CONFIGS),
    )
    found = {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}
    if path.name not in found:
        near = difflib.get_close_matches(path.name, found, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(
            f"no configuration {name_or_path!r}: {hint}Give the path of a YAML file, or one of: "
            f"{', '.join(found)}"
        )
    return found[path.name]


def _check_sizes(config: TrainingConfig, divisor: int) -> None:
    for key, size in (
        ("augmentation.crop", config.augmentation.crop),
        ("input_size", config.input_size),
    ):
        try:
            check_size(*size, divisor)
        except ValueError as error:
            raise ConfigError(f"{key}: {error}") from None


def _check_resumable(config: TrainingConfig, last: Path, resume: bool) -> dict[str, Any]:
    """What the checkpoint to resume from says of its data; empty where none is resumed."""
    if not resume:
        if last.exists():
            raise ConfigError(
                f"{last}: this run has begun already; add --resume to go on, "
                f"or give the new one another name=... or output=..."
            )
        return {}
    if not last.exists():
        raise ConfigError(f"{last}: there is no such checkpoint to resume; leave --resume out")
    try:
        checkpoint = torch.load(last, map_location="cpu", weights_only=True)
        # What a run does not say, since it is older than the key, it did as the default does.
        saved = _completed(checkpoint["config"], TrainingConfig().to_dict())
        changed = _changes(saved, config.to_dict())
    except OSError:
        raise
    except Exception as error:  # torch raises a different type for each way a file can be broken
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigError(
            f"{last}: the checkpoint to resume is damaged ({reason}); delete {last.parents[1]} and "
            f"start the run again without --resume"
        ) from error
    if changed:
        raise ConfigError(
            f"{last}: the run to resume has another configuration: {'; '.join(changed)}"
        )
    return {key: checkpoint[key] for key in _DATA if key in checkpoint}


def _check_data(saved: dict[str, Any], now: dict[str, Any], last: Path) -> None:
    """Raise ConfigError where the run had other data; checkpoints once did not say."""
    changed = _changes(saved, {key: now[key] for key in saved})
    if changed:
        raise ConfigError(
            f"{last}: the run to resume had other data: {'; '.join(changed)}; "
            f"put them back, or start a run of another name"
        )


def _completed(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    completed = {**defaults, **values}
    for key, default in defaults.items():
        if isinstance(default, dict):
            completed[key] = _completed(values.get(key, {}), default)
    return completed


def _changes(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """What changes the result of a run: all but where things lie and who loads them."""
    changes = []
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _changes(old, new, f"{prefix}{key}.")
        elif old != new and f"{prefix}{key}" not in _PLACES:
            changes.append(f"{prefix}{key} was {old}, is {new}")
    return changes


def _summary(config: TrainingConfig, sources: list[LabelledImages], origin: str) -> str:
    images = " + ".join(f"{len(source)} images of {source.name}" for source in sources)
    height, width = config.augmentation.crop
    return (
        f"{config.schedule.epochs} epochs on {images}, {height} x {width} crops, "
        f"batch {config.data.batch_size} ({config.data.simulated_per_batch} simulated), "
        f"moving average of weights, seed {config.seed}, from {origin}"
    )


@rank_zero_only
def _say(text: str) -> None:
    print(text, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Train, and print where the result lies."""
    parser = argparse.ArgumentParser(
        prog="hyperseg train",
        description="Train a network and save the moving average of its weights.",
    )
    parser.add_argument(
        "config", metavar="CONFIG", help="YAML file of the run, or the name of a published one"
    )
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
    places = ("data.root", "output", "start_from", "encoder_weights")
    shown = [text for text in arguments.overrides if not text.startswith(places)]
    command = " ".join(["hyperseg train", Path(arguments.config).name, *shown])
    config = load_config(find_config(arguments.config), arguments.overrides)
    keep_freed_memory(LARGEST_TENSOR)
    path = train(config, arguments.resume, command)
    _say(f"saved {path}")
    return 0
