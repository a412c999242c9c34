"""The sets of images that a run learns from and is validated on."""

from __future__ import annotations

from pathlib import Path

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.training.config import ConfigError, TrainingConfig
from hyperseg_ros.training.datasets import LabelledImages, load_dataset
from hyperseg_ros.training.datasets.streets import training_streets, validation_streets
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
    say("loading images")
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
        say("rendering simulated streets")
    if data.simulated_per_batch:
        training.append(training_streets(data.simulated_drives, data.frames_per_drive))
    if data.simulated_validation_drives:
        validation.append(validation_streets(data.simulated_validation_drives))
    return training, validation
