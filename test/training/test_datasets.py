from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.training.augmentation import Augmentation
from hyperseg_ros.training.config import AugmentationConfig
from hyperseg_ros.training.datasets import (
    TRAINING_SEED,
    VALIDATION_SEED,
    DatasetError,
    LabelledImages,
    MixtureSampler,
    TrainingMixture,
    ValidationImages,
    load_camvid,
    render_streets,
    training_streets,
)


@pytest.fixture
def root(tmp_path, write_camvid):
    return write_camvid(tmp_path / "camvid")


def test_camvid_is_read_as_rgb_with_void_unlabelled(root):
    images = load_camvid(root, "train")
    assert images.name == "camvid/train"
    assert len(images) == 4
    for index, (image, labels) in enumerate(zip(images.images, images.labels)):
        written = cv2.imread(str(root / "trainannot" / f"{index}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(labels, np.where(written == 11, UNLABELLED, written))
        np.testing.assert_array_equal(image[..., 2], written * 20)
        np.testing.assert_array_equal(image[..., 0], written * 10)
    assert any((labels == UNLABELLED).any() for labels in images.labels)


def test_camvid_of_the_project_has_its_published_size(shared):
    images = load_camvid(shared / "camvid", "val")
    assert len(images) == 101
    assert {labels.shape for labels in images.labels} == {(360, 480)}


def remove_image(root):
    (root / "train" / "2.png").unlink()
    return r"trainannot/2\.png: no file of this name in .*train \(1 unpaired files"


def remove_labels(root):
    (root / "trainannot" / "2.png").unlink()
    return r"train/2\.png: no file of this name in .*trainannot"


def remove_folder(root):
    (root / "trainannot").rename(root / "elsewhere")
    return r"trainannot: no such folder; CamVid's root holds"


def empty_folders(root):
    for path in [*root.glob("train/*"), *root.glob("trainannot/*")]:
        path.unlink()
    return r"train: there are no PNG files"


def unknown_label(root):
    cv2.imwrite(str(root / "trainannot" / "1.png"), np.full((48, 64), 12, np.uint8))
    return r"trainannot/1\.png: label 12 is none of the 11 classes"


def wrong_size(root):
    cv2.imwrite(str(root / "trainannot" / "1.png"), np.zeros((48, 32), np.uint8))
    return r"trainannot/1\.png: the labels are 32 x 48, the image is 64 x 48"


def coloured_labels(root):
    cv2.imwrite(str(root / "trainannot" / "1.png"), np.zeros((48, 64, 3), np.uint8))
    return r"trainannot/1\.png: labels are one 8-bit channel"


def deep_labels(root):
    cv2.imwrite(str(root / "trainannot" / "1.png"), np.zeros((48, 64), np.uint16))
    return r"trainannot/1\.png: labels are one 8-bit channel"


def broken_image(root):
    (root / "train" / "3.png").write_bytes(b"not a picture")
    return r"train/3\.png: this image does not decode"


def broken_labels(root):
    (root / "trainannot" / "3.png").write_bytes(b"")
    return r"trainannot/3\.png: this label image does not decode"


@pytest.mark.parametrize(
    "damage",
    [
        remove_image,
        remove_labels,
        remove_folder,
        empty_folders,
        unknown_label,
        wrong_size,
        coloured_labels,
        deep_labels,
        broken_image,
        broken_labels,
    ],
)
def test_each_kind_of_bad_data_is_named(root, damage):
    message = damage(root)
    with pytest.raises(DatasetError, match=message):
        load_camvid(root, "train")


def test_simulated_frames_are_the_same_every_time_and_differ_between_drives():
    first = render_streets(range(3, 5), 2)
    again = render_streets(range(3, 5), 2)
    assert len(first) == 4
    for one, two in zip(first.images, again.images):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(first.labels, again.labels):
        np.testing.assert_array_equal(one, two)
    assert len({image.tobytes() for image in first.images}) == 4


def test_training_never_reaches_the_validation_drives():
    with pytest.raises(DatasetError, match="would reach the validation seeds"):
        training_streets(VALIDATION_SEED - TRAINING_SEED + 1, 1)


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


def test_too_few_images_for_a_batch_is_an_error():
    with pytest.raises(DatasetError, match=r"5 images do not fill one batch of 6; lower"):
        MixtureSampler([5], [6], 0)


def test_a_training_item_is_the_augmented_crop_of_its_draw():
    labels = np.arange(48 * 64, dtype=np.uint32).reshape(48, 64) % 11
    labels = labels.astype(np.uint8)
    image = np.repeat(labels[..., None] * np.uint8(20), 3, axis=2)
    source = LabelledImages("one", [image], [labels])
    augmentation = Augmentation(AugmentationConfig(crop=(32, 32)), (48, 64))
    mixture = TrainingMixture([source], augmentation)
    (draw,) = MixtureSampler([1], [1], seed=5)
    got_image, got_labels = mixture[draw]
    expected = augmentation(image, labels, np.random.default_rng((5, 0, 0)))
    assert got_image.dtype == got_labels.dtype == torch.uint8
    np.testing.assert_array_equal(got_image.permute(1, 2, 0), expected[0])
    np.testing.assert_array_equal(got_labels, expected[1])


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
