import numpy as np

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.runtime.drawing import colorize, overlay


def test_every_label_gets_its_colour_of_the_palette():
    labels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    palette = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    assert np.array_equal(colorize(labels, palette), palette[labels])
    bgr = CAMVID.palette()[:, ::-1]
    assert np.array_equal(colorize(labels, bgr), bgr[labels])


def test_overlay_blends_by_opacity():
    image, colors = np.full((2, 2, 3), 100, np.uint8), np.full((2, 2, 3), 200, np.uint8)
    assert (overlay(image, colors, 0.0) == 100).all()
    assert (overlay(image, colors, 0.25) == 125).all()
    assert (overlay(image, colors, 1.0) == 200).all()
