"""Labelled images in memory: CamVid and simulated streets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.simulation import StreetCamera

CAMVID_VOID = 11
"""The label of void pixels in the files of the SegNet protocol."""

CAMVID_TERMS = "CamVid, and models trained on it, are for research use"
"""What the data allow models to be used for."""

TRAINING_SEED = 10_000
"""The first seed of the simulated drives for training."""

VALIDATION_SEED = 90_000
"""The first seed of the simulated drives for validation."""

DRIVE_FRAMES = 300
"""Frames of a simulated drive that samples are taken from: 20 s at 15 frames/s, as in the demo."""

VALIDATION_FRAMES_PER_DRIVE = 2


class DatasetError(ValueError):
    """Data that cannot be trained or evaluated on; the message names the file and the reason."""


@dataclass(frozen=True)
class LabelledImages:
    """Images with their labels, decoded.

    Args:
        name: what the set is called in figures, e.g. "camvid/val".
        images: uint8 [H, W, 3] RGB each.
        labels: uint8 [H, W] each, of the image's size; `UNLABELLED` where there is no class.
    """

    name: str
    images: Sequence[NDArray[np.uint8]]
    labels: Sequence[NDArray[np.uint8]]

    def __len__(self) -> int:
        return len(self.images)


def load_camvid(root: Path, split: str) -> LabelledImages:
    """CamVid in the SegNet protocol: 480 x 360 images, 11 classes, void unlabelled.

    Args:
        root: the folder with `<split>/` and `<split>annot/`, PNG files of the same names.
        split: "train", "val" or "test".

    Raises:
        DatasetError: a folder or file is missing, does not decode, or does not fit its partner.
    """
    image_folder, label_folder = root / split, root / f"{split}annot"
    for folder in (image_folder, label_folder):
        if not folder.is_dir():
            raise DatasetError(
                f"{folder}: no such folder; CamVid's root holds train/, trainannot/, val/ and "
                f"valannot/ (give it as data.root=FOLDER to train, --root FOLDER to evaluate)"
            )
    names = sorted(path.name for path in image_folder.glob("*.png"))
    label_names = sorted(path.name for path in label_folder.glob("*.png"))
    if not names:
        raise DatasetError(f"{image_folder}: there are no PNG files in this folder")
    unpaired = sorted(set(names) ^ set(label_names))
    if unpaired:
        lonely = unpaired[0]
        present, absent = image_folder, label_folder
        if lonely in label_names:
            present, absent = absent, present
        raise DatasetError(
            f"{present / lonely}: no file of this name in {absent} "
            f"({len(unpaired)} unpaired files in all)"
        )
    images, labels = [], []
    for name in names:
        image = cv2.imread(str(image_folder / name), cv2.IMREAD_COLOR)
        if image is None:
            raise DatasetError(f"{image_folder / name}: this image does not decode")
        label = _read_camvid_labels(label_folder / name)
        if label.shape != image.shape[:2]:
            raise DatasetError(
                f"{label_folder / name}: the labels are {_size(label)}, the image is {_size(image)}"
            )
        images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        labels.append(label)
    return LabelledImages(f"camvid/{split}", images, labels)


def _read_camvid_labels(path: Path) -> NDArray[np.uint8]:
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise DatasetError(f"{path}: this label image does not decode")
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise DatasetError(f"{path}: labels are one 8-bit channel of class ids, not a colour image")
    beyond = np.unique(labels[labels > CAMVID_VOID])
    if beyond.size:
        raise DatasetError(
            f"{path}: label {beyond[0]} is none of the {len(CAMVID)} classes of CamVid "
            f"(0 to {len(CAMVID) - 1}, {CAMVID_VOID} for void)"
        )
    labels[labels == CAMVID_VOID] = UNLABELLED
    return labels


def render_streets(seeds: range, frames_per_drive: int, name: str = "simulated") -> LabelledImages:
    """Frames of simulated drives, spread over each drive; the same for the same arguments.

    Args:
        seeds: the drives, seeds of `StreetCamera`.
        frames_per_drive: frames of each drive, 1 to `DRIVE_FRAMES`.
        name: name of the set.
    """
    images, labels = [], []
    for seed in tqdm(seeds, f"rendering {name}", disable=None, leave=False):
        camera = StreetCamera(seed=seed)
        bounds = np.linspace(0, DRIVE_FRAMES, frames_per_drive + 1).astype(int)
        # One frame at random from each part of the drive, so that no place is favoured.
        for index in np.random.default_rng(seed).integers(bounds[:-1], bounds[1:]):
            frame = camera.frame(int(index))
            images.append(cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB))
            labels.append(frame.labels)
    return LabelledImages(name, images, labels)


def validation_streets(drives: int) -> LabelledImages:
    """The simulated validation set: drives whose seeds training never sees."""
    seeds = range(VALIDATION_SEED, VALIDATION_SEED + drives)
    return render_streets(seeds, VALIDATION_FRAMES_PER_DRIVE, "simulated/val")


def training_streets(drives: int, frames_per_drive: int) -> LabelledImages:
    """The simulated training set."""
    if drives > VALIDATION_SEED - TRAINING_SEED:
        raise DatasetError(
            f"{drives} simulated drives would reach the validation seeds; "
            f"use {VALIDATION_SEED - TRAINING_SEED} or fewer"
        )
    seeds = range(TRAINING_SEED, TRAINING_SEED + drives)
    return render_streets(seeds, frames_per_drive, "simulated/train")


def _size(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
