from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperseg_ros.training.augmentation import Augmentation
from hyperseg_ros.training.config import AugmentationConfig
from hyperseg_ros.training.corruptions import CORRUPTIONS, SEVERITIES, corrupt


def street(size=(240, 320)):
    """Something with edges, colours and gradients, uint8 [H, W, 3]."""
    y, x = np.mgrid[: size[0], : size[1]]
    planes = (x * 255 // size[1], 255 * ((x // 16 + y // 16) % 2), y * 255 // size[0])
    return np.stack(planes, axis=-1).astype(np.uint8)


def difference(one, other):
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_severity_is_further_from_the_image(name):
    image = street()
    means = [
        np.mean(
            [
                difference(corrupt(image, name, severity, np.random.default_rng(seed)), image)
                for seed in range(8)
            ]
        )
        for severity in SEVERITIES
    ]

    assert means == sorted(means)
    assert means[0] > 0.5
    assert means[-1] > 1.2 * means[0]


@settings(max_examples=30)
@given(
    name=st.sampled_from(list(CORRUPTIONS)),
    severity=st.sampled_from(SEVERITIES),
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_any_image_keeps_its_shape_and_the_original_stays(name, severity, seed, size):
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    before = image.copy()

    once = corrupt(image, name, severity, np.random.default_rng(seed))

    assert once.shape == image.shape
    assert once.dtype == np.uint8
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(once, corrupt(image, name, severity, np.random.default_rng(seed)))


def test_dusk_is_darker_and_its_shadows_are_noisier_than_its_light():
    image = np.full((200, 200, 3), 200, np.uint8)
    image[:, 100:] = 60

    dusk = corrupt(image, "dusk", 5, np.random.default_rng(0)).astype(float)

    assert dusk.mean() < 0.45 * image.mean()
    relative = [
        dusk[:, part].std() / dusk[:, part].mean() for part in (slice(100), slice(100, 200))
    ]
    assert relative[1] > relative[0]


def test_a_colour_cast_keeps_the_brightness():
    image = np.full((40, 40, 3), 100, np.uint8)

    cast = corrupt(image, "colour_cast", 3, np.random.default_rng(1))

    assert abs(cast.mean() - 100) < 1
    assert np.ptp(cast[0, 0].astype(int)) > 30


@pytest.mark.parametrize(
    ("name", "severity", "said"),
    [("nois", 1, "no corruption 'nois': there are noise, "), ("noise", 6, "from 1 to 5, not 6")],
)
def test_what_is_not_known_is_refused(name, severity, said):
    with pytest.raises(ValueError, match=said):
        corrupt(street(), name, severity, np.random.default_rng(0))


def test_augmentation_corrupts_the_share_that_it_is_told():
    image, labels = street((64, 64)), np.zeros((64, 64), np.uint8)
    plain = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0, "gamma": 1.0}
    still = {"blur": 0.0, "noise": 0.0, "scale": (1, 1), "aspect": 1.0, "flip": 0.0}
    config = AugmentationConfig(crop=(64, 64), **plain, **still, corruption=0.3)
    augmentation = Augmentation(config, (64, 64))

    crops = [augmentation(image, labels, np.random.default_rng(seed))[0] for seed in range(200)]

    changed = sum(difference(crop, image) > 0.2 for crop in crops)
    assert 40 <= changed <= 80
