"""Labelled images in memory: CamVid, simulated streets, and the mixture a network trains on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from tqdm import tqdm

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.simulation import StreetCamera
from hyperseg_ros.training.augmentation import Augmentation
from hyperseg_ros.training.prediction import fit_image

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


class Draw(NamedTuple):
    """One training sample: the image, and the seed of its augmentation."""

    source: int
    image: int
    seed: tuple[int, int, int]


class MixtureSampler(Sampler[Draw]):
    """Draws an epoch with a fixed number of images of each source in every batch.

    An epoch is one pass over the first source, less its last incomplete batch; of the others it
    takes what the batches need. It is a function of seed and epoch alone, so a resumed run, or one
    with another number of workers, sees the same images.

    Args:
        sizes: images in each source.
        per_batch: images of each source in a batch; those of the first at least one.
        seed: seed of the run.
    """

    def __init__(self, sizes: Sequence[int], per_batch: Sequence[int], seed: int) -> None:
        self.sizes = tuple(sizes)
        self.per_batch = tuple(per_batch)
        self.seed = seed
        self.epoch = 0
        self.batches = self.sizes[0] // self.per_batch[0]
        if self.batches == 0:
            raise DatasetError(
                f"{self.sizes[0]} images do not fill one batch of {self.per_batch[0]}; "
                f"lower data.batch_size"
            )

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration draws; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * sum(self.per_batch)

    def __iter__(self) -> Iterator[Draw]:
        random = np.random.default_rng((self.seed, self.epoch))
        orders = [
            _shuffle(size, self.batches * count, random).reshape(self.batches, count)
            for size, count in zip(self.sizes, self.per_batch)
        ]
        position = 0
        for batch in range(self.batches):
            for source, order in enumerate(orders):
                for index in order[batch]:
                    yield Draw(source, int(index), (self.seed, self.epoch, position))
                    position += 1


def _shuffle(size: int, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """`count` indices below `size`, each as often as the others, or once less."""
    rounds = -(-count // size)
    order = [random.permutation(size) for _ in range(rounds)]
    return np.concatenate([*order, np.empty(0, np.int64)])[:count]


class TrainingMixture(Dataset[tuple[Tensor, Tensor]]):
    """Augmented crops of several sources; the items are what `MixtureSampler` draws.

    An item is the image, uint8 [3, H, W] RGB, and its labels, uint8 [H, W].
    """

    def __init__(self, sources: Sequence[LabelledImages], augmentation: Augmentation) -> None:
        self.sources = tuple(sources)
        self.augmentation = augmentation

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        source = self.sources[draw.source]
        image, labels = self.augmentation(
            source.images[draw.image],
            source.labels[draw.image],
            np.random.default_rng(draw.seed),
        )
        return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(labels)


class ValidationImages(Dataset[tuple[Tensor, NDArray[np.uint8]]]):
    """A set as the deployed model sees it: the image at the network's input size.

    An item is the image, uint8 [3, H, W] RGB, and its labels, uint8 [h, w] at their own size.
    """

    def __init__(self, source: LabelledImages, input_size: tuple[int, int]) -> None:
        self.source = source
        self.input_size = input_size

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> tuple[Tensor, NDArray[np.uint8]]:
        image = fit_image(self.source.images[index], self.input_size)
        return torch.from_numpy(image).permute(2, 0, 1), self.source.labels[index]

    @staticmethod
    def collate(
        items: Sequence[tuple[Tensor, NDArray[np.uint8]]],
    ) -> tuple[Tensor, list[NDArray[np.uint8]]]:
        """Stack the images; the labels keep their sizes."""
        images, labels = zip(*items)
        return torch.stack(images), list(labels)


def _size(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
