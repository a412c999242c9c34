"""Batches: the mixture a network trains on, and whole images to validate it on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, Subset

from hyperseg_ros.runtime.resizing import fit_image
from hyperseg_ros.training.augmentation import Augmentation
from hyperseg_ros.training.config import TrainingConfig
from hyperseg_ros.training.datasets import DatasetError, LabelledImages


class SegmentationData(lightning.LightningDataModule):
    """The data loaders of a run, for each device's share.

    Args:
        config: the run.
        training: the sets to learn from; the first sets the length of an epoch.
        validation: the sets to validate on.
    """

    def __init__(
        self,
        config: TrainingConfig,
        training: Sequence[LabelledImages],
        validation: Sequence[LabelledImages],
    ) -> None:
        super().__init__()
        self.config = config
        self.training = tuple(training)
        self.validation = tuple(validation)

    def train_dataloader(self) -> DataLoader[Any]:
        return training_loader(self.config, self.training, *self._share())

    def val_dataloader(self) -> list[DataLoader[Any]]:
        return [
            validation_loader(self.config, images, *self._share()) for images in self.validation
        ]

    def _share(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def training_loader(
    config: TrainingConfig, sources: Sequence[LabelledImages], rank: int = 0, world: int = 1
) -> DataLoader[Any]:
    """Batches of `Sample`s, stacked: uint8 [N, 3, H, W], and labels, uint8 [N, H, W].

    Raises:
        DatasetError: there are too few images, or the devices cannot share a batch.
    """
    data = config.data
    per_batch = [data.batch_size - data.simulated_per_batch, data.simulated_per_batch]
    if data.batch_size % world:
        raise DatasetError(f"{world} devices cannot share a data.batch_size of {data.batch_size}")
    return DataLoader(
        TrainingMixture(sources, Augmentation(config.augmentation, config.input_size)),
        batch_size=data.batch_size // world,
        sampler=MixtureSampler(
            [len(source) for source in sources],
            per_batch[: len(sources)],
            config.seed,
            config.schedule.epoch_images,
            rank,
            world,
        ),
        num_workers=data.workers,
        persistent_workers=data.workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def validation_loader(
    config: TrainingConfig, images: LabelledImages, rank: int = 0, world: int = 1
) -> DataLoader[Any]:
    """Batches of whole images at the input size, with their labels at their own."""
    return DataLoader(
        Subset(ValidationImages(images, config.input_size), range(rank, len(images), world)),
        batch_size=max(1, config.data.batch_size // world),
        collate_fn=ValidationImages.collate,
        num_workers=config.data.workers,
    )


class Draw(NamedTuple):
    """One training sample: the image, and the seed of its augmentation."""

    source: int
    image: int
    seed: tuple[int, int, int]


class MixtureSampler(Sampler[Draw]):
    """Draws an epoch with a fixed number of images of each source in every batch.

    An epoch is one pass over the first source, less its last incomplete batch; of the others it
    takes what the batches need. It is a function of seed and epoch alone, so a resumed run, or one
    with another number of workers or devices, sees the same images.

    Args:
        sizes: images in each source.
        per_batch: images of each source in a batch; at least one of the first.
        seed: seed of the run.
        epoch_images: images of the first source per epoch; 0 for all.
        rank, world: which of how many devices this is; each takes its part of every batch.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        per_batch: Sequence[int],
        seed: int,
        epoch_images: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.sizes = tuple(sizes)
        self.per_batch = tuple(per_batch)
        self.seed = seed
        self.rank, self.world = rank, world
        self.epoch = 0
        self.batches = (epoch_images or self.sizes[0]) // self.per_batch[0]
        check_batch(epoch_images or self.sizes[0], self.per_batch[0])

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration draws; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * sum(self.per_batch) // self.world

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
                    if position % self.world == self.rank:
                        yield Draw(source, int(index), (self.seed, self.epoch, position))
                    position += 1


def check_batch(images: int, per_batch: int) -> None:
    """Raise DatasetError where images do not fill a batch."""
    if images < per_batch:
        raise DatasetError(
            f"{images} images do not fill one batch of {per_batch}; lower data.batch_size"
        )


def _shuffle(size: int, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """`count` indices below `size`, each as often as the others, or once less."""
    rounds = -(-count // size)
    order = [random.permutation(size) for _ in range(rounds)]
    return np.concatenate([*order, np.empty(0, np.int64)])[:count]


class Sample(NamedTuple):
    """An augmented crop, or a batch of them.

    Attributes:
        images: uint8 [3, H, W] RGB.
        labels: uint8 [H, W].
        clean: the images before blur, noise and corruption, uint8 [3, H, W] RGB.
    """

    images: Tensor
    labels: Tensor
    clean: Tensor


class TrainingMixture(Dataset[Sample]):
    """Augmented crops of several sources; the items are what `MixtureSampler` draws."""

    def __init__(self, sources: Sequence[LabelledImages], augmentation: Augmentation) -> None:
        self.sources = tuple(sources)
        self.augmentation = augmentation

    def __getitem__(self, draw: Draw) -> Sample:
        source = self.sources[draw.source]
        crop = self.augmentation(
            source.images[draw.image],
            source.labels[draw.image],
            np.random.default_rng(draw.seed),
        )
        image, labels, clean = map(torch.from_numpy, crop)
        return Sample(image.permute(2, 0, 1), labels, clean.permute(2, 0, 1))


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
