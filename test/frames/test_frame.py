from __future__ import annotations

import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.frames.frame import Frame, SegmentedFrame
from hyperseg_ros.frames.settings import FrameSettings, masks, palette
from hyperseg_ros.runtime import Segmentation


def segmented(
    rows=slice(0, 21), columns=slice(0, 34), size=None, colors=(), mask_groups=(), **settings
):
    """A frame of 21 x 34 with random labels of its region, and those labels and confidences."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (21, 34, 3), np.uint8)
    tables = palette(CAMVID, colors), masks(CAMVID, mask_groups=mask_groups)
    frame = Frame(image, rows, columns, FrameSettings(*tables, **settings))
    size = size or frame.region.shape[:2]
    labels = random.integers(0, len(CAMVID), size, np.uint8)
    confidence = random.integers(0, 256, size, np.uint8)
    result = Segmentation(labels, confidence, 0.0, 0.0, 0.0)
    return SegmentedFrame(frame, result), labels, confidence


def overlaid(frame: SegmentedFrame) -> np.ndarray:
    out = np.zeros((*frame.labels.shape, 3), np.uint8)
    frame.draw_overlay(out)
    return out


def test_without_settings_the_result_is_the_networks():
    frame, labels, confidence = segmented()
    assert np.array_equal(frame.labels, labels)
    assert np.array_equal(frame.confidence, confidence)


def test_pixels_the_network_is_not_sure_of_are_unlabelled():
    frame, labels, confidence = segmented(min_confidence=0.5)
    weak = confidence / 255 < 0.5
    assert np.array_equal(frame.labels, np.where(weak, UNLABELLED, labels))
    assert np.array_equal(frame.confidence, confidence)


def test_around_the_region_of_interest_nothing_is_known():
    frame, labels, confidence = segmented(slice(3, 13), slice(4, 30))
    inside = np.zeros((21, 34), bool)
    inside[3:13, 4:30] = True
    assert np.array_equal(frame.labels[3:13, 4:30], labels)
    assert np.array_equal(frame.confidence[3:13, 4:30], confidence)
    assert (frame.labels[~inside] == UNLABELLED).all()
    assert (frame.confidence[~inside] == 0).all()


def test_at_the_networks_resolution_everything_has_its_size_and_shows_the_region():
    frame, labels, _ = segmented(
        slice(3, 13), slice(4, 30), (24, 32), at_input_size=True, overlay_opacity=0.0
    )
    assert np.array_equal(frame.labels, labels)
    assert frame.color.shape == overlaid(frame).shape == (24, 32, 3)
    assert overlaid(frame).any()
    assert np.array_equal(frame.image, segmented()[0].image[3:13, 4:30])


def test_color_is_the_palette_in_rgb():
    frame, labels, _ = segmented(colors=(("road", (9, 8, 7)),))
    assert np.array_equal(frame.color, frame.settings.palette[labels])
    assert (frame.color[labels == CAMVID.index("road")] == (9, 8, 7)).all()


@pytest.mark.parametrize("opacity", [0.0, 0.3, 1.0])
def test_overlay_blends_colors_with_the_camera_image(opacity):
    frame, _, _ = segmented(overlay_opacity=opacity)
    blend = opacity * frame.color.astype(float) + (1 - opacity) * frame.image[..., ::-1]
    assert np.abs(overlaid(frame) - blend).max() <= 0.5001


def test_a_mask_is_255_where_a_class_of_it_is():
    frame, labels, _ = segmented(mask_groups=(("flat", ("road", "pavement")),))
    flat = (labels == CAMVID.index("road")) | (labels == CAMVID.index("pavement"))
    assert np.array_equal(frame.mask("mask/flat"), np.where(flat, 255, 0))
    assert np.array_equal(frame.mask("mask/sky"), np.where(labels == 0, 255, 0))
