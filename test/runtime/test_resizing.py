import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.runtime.resizing import fit_image, fit_labels

sides = st.integers(1, 40)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_what_has_the_size_is_not_copied():
    image = noise(24, 32, 3)
    assert fit_image(image, (24, 32)) is image
    assert fit_labels(image[..., 0], [24, 32]).base is image


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_shrinking_by_a_power_of_two_averages_all_pixels(factor):
    image = noise(6 * factor, 8 * factor, 3)
    mean = image.reshape(6, factor, 8, factor, 3).mean(axis=(1, 3))
    # Each halving rounds to whole levels.
    assert np.abs(fit_image(image, (6, 8)) - mean).max() <= np.log2(factor)


def test_the_buffer_is_used_and_does_not_change_the_result():
    image, out = noise(30, 50, 3), np.zeros((24, 32, 3), np.uint8)
    fitted = fit_image(image, (24, 32), out)
    assert np.shares_memory(fitted, out)
    assert np.array_equal(out, fit_image(image, (24, 32)))


def test_labels_come_from_the_nearest_pixels_centre():
    labels = noise(6, 8)
    assert np.array_equal(fit_labels(labels, (18, 24)), labels.repeat(3, 0).repeat(3, 1))
    assert np.array_equal(fit_labels(labels.repeat(3, 0).repeat(3, 1), (6, 8)), labels)


@given(sides, sides, sides, sides)
def test_labels_of_any_size_are_those_of_the_resize_in_one_go(height, width, to_height, to_width):
    labels = noise(height, width)
    exact = cv2.resize(labels, (to_width, to_height), interpolation=cv2.INTER_NEAREST_EXACT)
    assert np.array_equal(fit_labels(labels, (to_height, to_width)), exact)
