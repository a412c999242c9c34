"""The robot's own body in the image: no obstacle, whatever the labels say of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.frames.body_mask import BodyMask
from hyperseg_ros.frames.frame import Frame, SegmentedFrame
from hyperseg_ros.frames.settings import FrameSettings, masks, palette
from hyperseg_ros.geometry import GeometryError
from hyperseg_ros.runtime import Segmentation

HEIGHT, WIDTH = 60, 80
BONNET = np.zeros((HEIGHT, WIDTH), bool)
BONNET[50:, 20:70] = True


def frame_of(rows=slice(0, HEIGHT), label_size=None) -> SegmentedFrame:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    settings = FrameSettings(palette(CAMVID), masks(CAMVID), at_input_size=label_size is not None)
    labels = np.zeros(label_size or (rows.stop - rows.start, WIDTH), np.uint8)
    result = Segmentation(labels, labels, 0.0, 0.0, 0.0)
    return SegmentedFrame(Frame(image, rows, slice(0, WIDTH), settings), result)


@pytest.mark.parametrize(
    "pixels",
    [
        BONNET.astype(np.uint8),
        BONNET.astype(np.uint16) * 256,
        np.dstack([BONNET * 0, BONNET * 0, BONNET * 9]).astype(np.uint8),
        np.dstack([*[BONNET * 255] * 3, np.full(BONNET.shape, 255)]).astype(np.uint8),
    ],
    ids=["ones", "16 bits", "red", "opacity"],
)
def test_what_is_not_black_is_the_body(tmp_path, pixels):
    path = tmp_path / "body.png"
    cv2.imwrite(str(path), pixels)
    np.testing.assert_array_equal(BodyMask.read(path).pixels, BONNET)


def test_the_mask_has_the_size_of_the_labels():
    mask = BodyMask("body.png", BONNET)
    assert mask.of(frame_of()) is BONNET
    # The network's labels show the region alone, and half of a pixel of the body is body.
    small = mask.of(frame_of(rows=slice(20, HEIGHT), label_size=(20, 40)))
    np.testing.assert_array_equal(small, BONNET[20::2, ::2])
    single = np.zeros((HEIGHT, WIDTH), bool)
    single[31, 41] = True
    assert BodyMask("body.png", single).of(frame_of(label_size=(30, 40)))[15, 20]


def test_a_mask_of_another_size_is_told():
    mask = BodyMask("body.png", np.ones((30, 40), bool))
    with pytest.raises(GeometryError, match=r"body\.png is 40 x 30, the images have 80 x 60"):
        mask.of(frame_of())


def test_a_file_that_is_no_mask_is_told(tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        BodyMask.read(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("robot")
    with pytest.raises(ValueError, match=r"text\.png"):
        BodyMask.read(tmp_path / "text.png")
