import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.training.augmentation import Augmentation
from hyperseg_ros.training.config import AugmentationConfig

# Geometry alone: the colours stay as they are.
GEOMETRY = {
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "gamma": 1.0,
    "blur": 0.0,
    "noise": 0.0,
}


def picture(random, height, width, block=1):
    """Random class ids in blocks, and an image that shows each id in its own grey."""
    rows, columns = -(-height // block), -(-width // block)
    labels = random.integers(0, 11, (rows, columns), dtype=np.uint8)
    labels = labels.repeat(block, 0).repeat(block, 1)[:height, :width].copy()
    return np.repeat(labels[..., None] * np.uint8(20), 3, axis=2), labels


@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    crop=st.tuples(st.integers(1, 64), st.integers(1, 64)),
)
def test_labels_are_never_interpolated(seed, height, width, crop):
    random = np.random.default_rng(seed)
    # Far apart, so that anything between them would show.
    labels = random.choice(np.array([0, 10], np.uint8), (height, width))
    image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    augment = Augmentation(AugmentationConfig(crop=crop), (48, 64))
    out_image, out_labels, _ = augment(image, labels, random)
    assert out_image.shape == (*crop, 3)
    assert out_image.dtype == np.uint8
    assert out_labels.shape == crop
    assert out_labels.dtype == np.uint8
    assert set(np.unique(out_labels)) <= {0, 10, UNLABELLED}


@pytest.mark.parametrize("seed", range(8))
def test_image_and_labels_move_together(seed):
    random = np.random.default_rng(seed)
    image, labels = picture(random, 120, 160, block=16)
    augment = Augmentation(AugmentationConfig(crop=(64, 64), **GEOMETRY), (120, 160))
    image, labels, _ = augment(image, labels, random)
    shown = image[..., 0]
    # Away from the blocks' borders, where the image is interpolated, each grey is its label's.
    inside = np.zeros(labels.shape, bool)
    inside[1:-1, 1:-1] = True
    for rows in (slice(0, -2), slice(1, -1), slice(2, None)):
        for columns in (slice(0, -2), slice(1, -1), slice(2, None)):
            inside[1:-1, 1:-1] &= labels[rows, columns] == labels[1:-1, 1:-1]
    inside &= labels != UNLABELLED
    assert inside.mean() > 0.4
    np.testing.assert_array_equal(shown[inside], labels[inside] * 20)


def test_without_randomness_a_fitting_crop_is_the_image():
    image, labels = picture(np.random.default_rng(0), 48, 64)
    config = AugmentationConfig(crop=(48, 64), scale=(1, 1), aspect=1, flip=0, **GEOMETRY)
    out_image, out_labels, _ = Augmentation(config, (48, 64))(
        image, labels, np.random.default_rng(1)
    )
    np.testing.assert_array_equal(out_image, image)
    np.testing.assert_array_equal(out_labels, labels)


def test_a_flip_mirrors_exactly():
    image, labels = picture(np.random.default_rng(0), 48, 64)
    config = AugmentationConfig(crop=(48, 64), scale=(1, 1), aspect=1, flip=1, **GEOMETRY)
    out_image, out_labels, _ = Augmentation(config, (48, 64))(
        image, labels, np.random.default_rng(1)
    )
    np.testing.assert_array_equal(out_image, image[:, ::-1])
    np.testing.assert_array_equal(out_labels, labels[:, ::-1])


def test_beyond_the_image_nothing_is_labelled():
    image, labels = picture(np.random.default_rng(0), 48, 64)
    config = AugmentationConfig(crop=(96, 128), scale=(1, 1), aspect=1, flip=0, **GEOMETRY)
    _, out, _ = Augmentation(config, (48, 64))(image, labels, np.random.default_rng(1))
    assert (out != UNLABELLED).sum() == 48 * 64
    rows, columns = np.nonzero(out != UNLABELLED)
    np.testing.assert_array_equal(
        out[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1], labels
    )


def test_scale_is_relative_to_the_input_size():
    # A camera with twice the pixels of the input shows the same things at the same size.
    labels = np.zeros((96, 128), np.uint8)
    labels[24:72, 32:96] = 5
    image = np.zeros((96, 128, 3), np.uint8)
    config = AugmentationConfig(crop=(48, 64), scale=(1, 1), aspect=1, flip=0, **GEOMETRY)
    _, out, _ = Augmentation(config, (48, 64))(image, labels, np.random.default_rng(1))
    assert (out == 5).sum() == 24 * 32


def test_colours_change_and_the_labels_do_not():
    random = np.random.default_rng(3)
    image = random.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    labels = random.integers(0, len(CAMVID), (48, 64), dtype=np.uint8)
    config = AugmentationConfig(crop=(48, 64), scale=(1, 1), aspect=1, flip=0)
    out_image, out_labels, _ = Augmentation(config, (48, 64))(image, labels, random)
    assert np.abs(out_image.astype(int) - image).mean() > 2
    np.testing.assert_array_equal(out_labels, labels)


def test_the_same_seed_gives_the_same_crop():
    image, labels = picture(np.random.default_rng(0), 48, 64)
    augment = Augmentation(AugmentationConfig(crop=(32, 32)), (48, 64))
    first = augment(image, labels, np.random.default_rng(5))
    again = augment(image, labels, np.random.default_rng(5))
    other = augment(image, labels, np.random.default_rng(6))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()


def test_the_clean_crop_has_the_geometry_and_colours_but_no_degradation():
    image, labels = picture(np.random.default_rng(0), 96, 128)
    always = AugmentationConfig(crop=(48, 64), blur=1, noise=1, corruption=1)
    never = AugmentationConfig(crop=(48, 64), blur=0, noise=0, corruption=0)
    crop = Augmentation(always, (48, 64))(image, labels, np.random.default_rng(5))
    expected = Augmentation(never, (48, 64))(image, labels, np.random.default_rng(5))
    np.testing.assert_array_equal(crop.clean, expected.image)
    np.testing.assert_array_equal(expected.clean, expected.image)
    np.testing.assert_array_equal(crop.labels, expected.labels)
    assert np.abs(crop.image.astype(int) - crop.clean).mean() > 2


@given(seed=st.integers(0, 1000))
def test_rotation_turns_image_and_labels_alike(seed):
    """A bright disc is labelled 1 before and after."""
    y, x = np.mgrid[:64, :64]
    labels = ((x - 20) ** 2 + (y - 30) ** 2 < 144).astype(np.uint8)
    image = np.repeat(labels[..., None] * np.uint8(200), 3, axis=2)
    config = AugmentationConfig(
        crop=(64, 64), scale=(1.0, 1.0), aspect=1.0, rotation=180.0, **GEOMETRY
    )
    turned, turned_labels, _ = Augmentation(config, (64, 64))(
        image, labels, np.random.default_rng(seed)
    )
    assert set(np.unique(turned_labels)) <= {0, 1, UNLABELLED}
    known = turned_labels != UNLABELLED
    # The nearest pixel has a quarter of the weight at least.
    assert (turned[..., 0][known & (turned_labels == 1)] >= 49).all()
    assert (turned[..., 0][known & (turned_labels == 0)] <= 151).all()
    # The middle of the crop is the middle of the image, however it is turned.
    assert turned_labels[31:33, 31:33].min() == labels[31:33, 31:33].min()
