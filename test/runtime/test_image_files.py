import os

import cv2
import numpy as np
import pytest

from hyperseg_ros.runtime.decoding import ImageError
from hyperseg_ros.runtime.image_files import read_image, read_pixels, read_size, write_image


@pytest.fixture
def street():
    return np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


def test_an_image_is_read_as_bgr(tmp_path, street):
    path = tmp_path / "Straße 道路.png"
    path.write_bytes(cv2.imencode(".png", street)[1])
    assert np.array_equal(read_image(path), street)
    assert np.array_equal(read_image(str(path)), street)
    assert read_size(path) == (24, 32)


def test_kinds_of_pixels_become_bgr_and_can_be_had_unchanged(tmp_path, street):
    gray = tmp_path / "gray.png"
    cv2.imwrite(str(gray), street[..., 0])
    assert np.array_equal(read_image(gray), np.repeat(street[..., :1], 3, axis=2))
    assert np.array_equal(read_pixels(gray), street[..., 0])
    deep = tmp_path / "deep.png"
    cv2.imwrite(str(deep), street[..., 0].astype(np.uint16) * 256)
    assert read_pixels(deep).dtype == np.uint16
    assert np.array_equal(read_image(deep)[..., 0], street[..., 0])


def test_an_error_names_the_file(tmp_path, street):
    with pytest.raises(ImageError, match=r"there is no file .*gone.png"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="there is no file"):
        read_image(tmp_path)
    path = tmp_path / "half.png"
    path.write_bytes(cv2.imencode(".png", street)[1][:300])
    for read in (read_image, read_pixels, read_size):
        with pytest.raises(ImageError, match=r"half.png: the PNG is cut short"):
            read(path)


def test_a_file_longer_than_any_image_is_not_read(tmp_path):
    path = tmp_path / "long.png"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 10**12)
    with pytest.raises(ImageError, match="longer than any image of 33177600 pixels"):
        read_image(path)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_what_is_written_is_read_back(tmp_path, shape):
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    write_image(tmp_path / "new" / "image.png", pixels)
    assert np.array_equal(read_pixels(tmp_path / "new" / "image.png"), pixels)


def test_an_image_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "image.png"
    path.mkdir()
    with pytest.raises(OSError, match=r"cannot write .*image\.png"):
        write_image(path, np.zeros((4, 4), np.uint8))
    assert list(tmp_path.iterdir()) == [path]
