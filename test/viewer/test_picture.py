from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_client import decode
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.frames.pixels import ImageError
from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.viewer.picture import Picture, class_shares, to_labels


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 9),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_labels_reach_the_page_as_they_were_published(height, width, padding, seed, compact):
    labels = np.random.default_rng(seed).integers(
        0, 4 if compact else 256, (height, width), np.uint8
    )
    padded = np.pad(labels, ((0, 0), (0, padding)), constant_values=77)
    message = to_image(Header(), padded, "mono8")
    message.width = width
    picture = Picture(1, None, message).encode(80)
    np.testing.assert_array_equal(decode(picture.png).reshape(height, width), labels)
    assert picture.jpeg == b""
    counts = np.bincount(labels.ravel(), minlength=256)
    expected = {index: count / labels.size for index, count in enumerate(counts) if count}
    assert picture.shares == pytest.approx(expected)


@pytest.mark.parametrize("size", [(30_000, 30_000), (65_000, 500), (8000, 8000)])
def test_a_small_message_cannot_claim_much_memory(size):
    whole = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    header = whole.index(b"\xff\xc0") + 5  # the frame's height and width
    claimed = size[1].to_bytes(2, "big") + size[0].to_bytes(2, "big")
    data = whole[:header] + claimed + whole[header + 4 :]
    message = CompressedImage(format="jpeg", data=data)
    tracemalloc.start()
    with pytest.raises(ImageError):
        Picture(1, message, None).encode(80)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300e6


def test_shares_are_of_all_pixels():
    labels = np.array([[0, 0, 3], [255, 255, 255]], np.uint8)
    assert class_shares(labels) == pytest.approx({0: 2 / 6, 3: 1 / 6, 255: 3 / 6})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoding": "rgb8"}, "labels are mono8, not 'rgb8'"),
        ({"height": 0}, "labels cannot have 8 x 0 pixels"),
        ({"width": 100_000}, "labels cannot have 100000 x 6 pixels"),
        ({"step": 7}, "48 bytes in rows of 7 are not 8 x 6 labels"),
        ({"height": 7}, "48 bytes in rows of 8 are not 8 x 7 labels"),
    ],
)
def test_what_holds_no_labels_is_refused_with_a_reason(changes, reason):
    message = to_image(Header(), np.zeros((6, 8), np.uint8), "mono8")
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(ImageError, match=reason):
        to_labels(message)


def test_an_image_comes_with_and_without_loss():
    rows, columns = np.mgrid[0:48, 0:64]
    image = np.stack([rows * 4, columns * 3, rows + columns], axis=-1).astype(np.uint8)
    picture = Picture(1, to_image(Header(), image[..., ::-1], "rgb8"), None)
    difference = np.abs(decode(picture.encode(95).jpeg).astype(int) - image)
    assert 0 < difference.mean() < 3
    np.testing.assert_array_equal(decode(picture.image_png()), image)


def test_an_unknown_encoding_is_an_image_error():
    image = Image(height=1, width=1, step=1, encoding="thermal", data=[1])
    with pytest.raises(ImageError, match="thermal"):
        Picture(1, image, None).encode(80)
