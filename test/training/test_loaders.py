from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.runtime.resizing import fit_image
from hyperseg_ros.training.augmentation import Augmentation
from hyperseg_ros.training.config import AugmentationConfig, DataConfig, TrainingConfig
from hyperseg_ros.training.datasets import DatasetError, LabelledImages, load_camvid
from hyperseg_ros.training.loaders import (
    MixtureSampler,
    TrainingMixture,
    ValidationImages,
    training_loader,
)


@pytest.fixture
def root(tmp_path, write_camvid):
    return write_camvid(tmp_path / "camvid")


@given(
    sizes=st.tuples(st.integers(4, 40), st.integers(1, 40)),
    per_batch=st.tuples(st.integers(1, 4), st.integers(0, 4)),
    seed=st.integers(0, 1000),
)
def test_every_batch_has_the_same_mix_and_an_epoch_is_one_pass(sizes, per_batch, seed):
    sampler = MixtureSampler(sizes, per_batch, seed)
    draws = list(sampler)
    assert len(draws) == len(sampler)
    batch = sum(per_batch)
    for start in range(0, len(draws), batch):
        sources = Counter(draw.source for draw in draws[start : start + batch])
        assert (sources[0], sources[1]) == per_batch
    real = Counter(draw.image for draw in draws if draw.source == 0)
    assert set(real.values()) == {1}
    assert len(real) > sizes[0] - per_batch[0]
    simulated = Counter(draw.image for draw in draws if draw.source == 1)
    assert max(simulated, default=0) < sizes[1]
    if len(simulated) == sizes[1]:
        assert max(simulated.values()) - min(simulated.values()) <= 1
    assert len({draw.seed for draw in draws}) == len(draws)


def test_an_epoch_depends_on_seed_and_number_alone():
    def draws(seed, epoch):
        sampler = MixtureSampler([20, 9], [3, 1], seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert draws(1, 4) == draws(1, 4)
    assert [d[:2] for d in draws(1, 4)] != [d[:2] for d in draws(1, 5)]
    assert [d[:2] for d in draws(1, 4)] != [d[:2] for d in draws(2, 4)]


@given(
    world=st.sampled_from((1, 2, 3, 6)),
    epoch_images=st.sampled_from((0, 7, 40)),
    seed=st.integers(),
)
def test_devices_share_out_every_batch(world, epoch_images, seed):
    seed = abs(seed)
    alone = list(MixtureSampler([20, 9], [4, 2], seed, epoch_images))
    assert len(alone) == (epoch_images or 20) // 4 * 6
    shares = [
        list(MixtureSampler([20, 9], [4, 2], seed, epoch_images, rank, world))
        for rank in range(world)
    ]
    for rank, share in enumerate(shares):
        assert share == alone[rank::world]
        assert len(share) == len(MixtureSampler([20, 9], [4, 2], seed, epoch_images, rank, world))


def test_a_batch_that_devices_cannot_share_is_an_error(root):
    config = TrainingConfig(data=DataConfig(batch_size=3))
    with pytest.raises(DatasetError, match=r"2 devices cannot share a data\.batch_size of 3"):
        training_loader(config, [load_camvid(root, "train")], rank=0, world=2)


def test_too_few_images_for_a_batch_is_an_error():
    with pytest.raises(DatasetError, match=r"5 images do not fill one batch of 6; lower"):
        MixtureSampler([5], [6], 0)


def test_a_training_item_is_the_augmented_crop_of_its_draw():
    labels = np.arange(48 * 64, dtype=np.uint32).reshape(48, 64) % 11
    labels = labels.astype(np.uint8)
    image = np.repeat(labels[..., None] * np.uint8(20), 3, axis=2)
    source = LabelledImages("one", [image], [labels], CAMVID)
    augmentation = Augmentation(AugmentationConfig(crop=(32, 32)), (48, 64))
    mixture = TrainingMixture([source], augmentation)
    (draw,) = MixtureSampler([1], [1], seed=5)
    got_image, got_labels, got_clean = mixture[draw]
    expected = augmentation(image, labels, np.random.default_rng((5, 0, 0)))
    assert got_image.dtype == got_labels.dtype == torch.uint8
    np.testing.assert_array_equal(got_image.permute(1, 2, 0), expected[0])
    np.testing.assert_array_equal(got_labels, expected[1])
    np.testing.assert_array_equal(got_clean.permute(1, 2, 0), expected[2])


def test_a_validation_item_has_the_input_size_and_its_own_labels(root):
    source = load_camvid(root, "val")
    images, labels = ValidationImages.collate(
        [ValidationImages(source, (96, 128))[index] for index in (0, 1)]
    )
    assert images.shape == (2, 3, 96, 128)
    np.testing.assert_array_equal(
        images[1].permute(1, 2, 0), cv2.resize(source.images[1], (128, 96))
    )
    np.testing.assert_array_equal(labels[1], source.labels[1])


def test_validation_fits_large_images_as_the_runtime_does():
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    source = LabelledImages("one", [image], [image[..., 0]], CAMVID)
    fitted, _ = ValidationImages(source, (64, 96))[0]
    np.testing.assert_array_equal(fitted.permute(1, 2, 0), fit_image(image, (64, 96)))
    assert (fit_image(image, (64, 96)) != cv2.resize(image, (96, 64))).any()
