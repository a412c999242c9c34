"""Simulated streets as a data set: frames of drives whose labels are exact."""

from __future__ import annotations

import cv2
import numpy as np
from tqdm import tqdm

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.simulation import StreetCamera, varied_camera
from hyperseg_ros.training.datasets.labelled_images import DatasetError, LabelledImages

TRAINING_SEED = 10_000
"""The first seed of the simulated drives for training."""

VALIDATION_SEED = 90_000
"""The first seed of the simulated drives for validation."""

DRIVE_FRAMES = 300
"""Frames of a simulated drive that samples are taken from: 20 s at 15 frames/s, as in the demo."""

VALIDATION_DRIVES = 20
"""Drives of the validation set, unless told otherwise."""

VALIDATION_FRAMES_PER_DRIVE = 2


def render_streets(
    seeds: range, frames_per_drive: int, name: str = "simulated", varied: float = 0.0
) -> LabelledImages:
    """Frames of simulated drives, spread over each drive; the same for the same arguments.

    Args:
        seeds: the drives, seeds of `StreetCamera`.
        frames_per_drive: frames of each drive, 1 to `DRIVE_FRAMES`.
        name: name of the set.
        varied: share of the drives by `varied_camera`, 0-1.
    """
    images, labels, names = [], [], []
    for number, seed in enumerate(tqdm(seeds, f"rendering {name}", disable=None, leave=False)):
        is_varied = int((number + 1) * varied) > int(number * varied)
        camera = varied_camera(seed) if is_varied else StreetCamera(seed=seed)
        bounds = np.linspace(0, DRIVE_FRAMES, frames_per_drive + 1).astype(int)
        # One frame at random from each part of the drive, so that no place is favoured.
        for index in np.random.default_rng(seed).integers(bounds[:-1], bounds[1:]):
            frame = camera.frame(int(index))
            images.append(cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB))
            labels.append(frame.labels)
            names.append(f"seed {seed} frame {index}")
    return LabelledImages(name, images, labels, CAMVID, names)


def validation_streets(drives: int) -> LabelledImages:
    """The simulated validation set: drives whose seeds training never sees."""
    seeds = range(VALIDATION_SEED, VALIDATION_SEED + drives)
    return render_streets(seeds, VALIDATION_FRAMES_PER_DRIVE, "simulated/val")


def training_streets(drives: int, frames_per_drive: int, varied: float = 0.0) -> LabelledImages:
    """The simulated training set; arguments as of `render_streets`."""
    if drives > VALIDATION_SEED - TRAINING_SEED:
        raise DatasetError(
            f"{drives} simulated drives would reach the validation seeds; "
            f"use {VALIDATION_SEED - TRAINING_SEED} or fewer"
        )
    seeds = range(TRAINING_SEED, TRAINING_SEED + drives)
    return render_streets(seeds, frames_per_drive, "simulated/train", varied)
