"""The sets of images that a run learns from and is validated on."""

from __future__ import annotations

from pathlib import Path

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.training.config import ConfigError, TrainingConfig
from hyperseg_ros.training.datasets import (
    DatasetError,
    LabelledImages,
    list_dataset,
    load_dataset,
)
from hyperseg_ros.training.datasets.catalogue import LISTINGS
from hyperseg_ros.training.datasets.diagnosis import absent_classes, nothing_to_learn
from hyperseg_ros.training.datasets.labelled_images import class_pixels
from hyperseg_ros.training.datasets.streets import training_streets, validation_streets
from hyperseg_ros.training.loaders import check_batch
from hyperseg_ros.training.progress import say


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
    _check_listings(config)
    say("loading images")
    training = [load_dataset(data.dataset, data.root, data.train, check_all=True)]
    _check_learnable(training[0])
    if config.loss.ground_edge and not training[0].classes.ground:
        raise ConfigError(
            f"loss.ground_edge must be 0: no class of {training[0].name} is ground; if one is, its "
            "class table says ground: true"
        )
    validation = []
    if data.val:
        validation.append(load_dataset(data.dataset, data.root, data.val, check_all=True))
        for warning in warnings(validation[0]):
            say(f"warning: {warning}")
    streets = data.simulated_per_batch or data.simulated_validation_drives
    if streets and training[0].classes.names != CAMVID.names:
        raise ConfigError(
            f"data.simulated_fraction and data.simulated_validation_drives must be 0: simulated "
            f"streets have the classes of camvid, {training[0].name} has "
            f"{', '.join(training[0].classes.names)}"
        )
    if streets:
        say("rendering simulated streets")
    if data.simulated_per_batch:
        training.append(
            training_streets(data.simulated_drives, data.frames_per_drive, data.simulated_variety)
        )
    if data.simulated_validation_drives:
        validation.append(validation_streets(data.simulated_validation_drives))
    return training, validation


def warnings(images: LabelledImages) -> list[str]:
    """What is odd about a set to measure on, each a line."""
    pixels = class_pixels(images)
    found = [*images.warnings]
    if not any(pixels):
        found.append("no pixel has a label: it gives no figure")
    elif absent := absent_classes(images.classes, pixels):
        found.append(f"{absent}; the mean leaves them out")
    return [f"{images.name}: {warning}" for warning in found]


def _check_listings(config: TrainingConfig) -> None:
    """Raise DatasetError where a split is missing or fills no batch, before any file is read."""
    data = config.data
    if data.dataset not in LISTINGS:
        return
    splits = data.train.split("+")
    count = sum(len(list_dataset(data.dataset, data.root, split).pairs) for split in splits)
    if not config.schedule.epoch_images:
        check_batch(count, data.batch_size - data.simulated_per_batch)
    try:
        for split in filter(None, data.val.split("+")):
            list_dataset(data.dataset, data.root, split)
    except DatasetError as error:
        raise DatasetError(f"{error}; to train without validation: data.val=''") from None


def _check_learnable(images: LabelledImages) -> None:
    """Warn of what is odd about a training set; raise DatasetError where it teaches nothing."""
    pixels = class_pixels(images)
    reason = nothing_to_learn(images.classes, pixels)
    if reason:
        raise DatasetError(f"{images.name}: {'; '.join([reason, *images.warnings])}")
    for warning in filter(None, [*images.warnings, absent_classes(images.classes, pixels)]):
        say(f"warning: {images.name}: {warning}")
