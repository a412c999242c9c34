import cv2
import numpy as np
import pytest

from hyperseg_ros.runtime.decoding import is_cut_short


@pytest.mark.parametrize("form", [".png", ".jpg"])
def test_a_picture_is_whole_or_cut_short(form):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    whole = cv2.imencode(form, pixels)[1].tobytes()
    assert not is_cut_short(whole)
    assert not is_cut_short(whole + b"\0" * 9)
    assert all(is_cut_short(whole[:length]) for length in range(8, len(whole) - 1))


@pytest.mark.parametrize("content", [b"", b"not a picture", b"BM" + bytes(20)])
def test_what_is_neither_jpeg_nor_png_is_left_to_its_decoder(content):
    assert not is_cut_short(content)
