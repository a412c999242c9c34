"""Messages of what `frames` says they hold, and pixels with cv_bridge's help."""

from __future__ import annotations

import re
import sys
import types

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hyperseg_ros.frames.encodings import ENCODINGS
from hyperseg_ros.frames.messages import image_fields, png_fields
from hyperseg_ros.frames.pixels import ImageError
from hyperseg_ros.node.conversions import ReusedImage, compressed_image, to_bgr, to_image

sizes = st.integers(1, 23)
seeds = st.integers(0, 2**32 - 1)


def bridged(monkeypatch, known: str) -> None:
    """Installs a cv_bridge, which is not on PyPI, that reads one encoding."""

    class CvBridgeError(TypeError):
        pass

    class CvBridge:
        def imgmsg_to_cv2(self, message, encoding):
            if message.encoding != known:
                raise CvBridgeError("not a color format")
            assert encoding == "bgr8"
            return np.full((message.height, message.width, 3), 7, np.uint8)

    module = types.SimpleNamespace(CvBridge=CvBridge, CvBridgeError=CvBridgeError)
    monkeypatch.setitem(sys.modules, "cv_bridge", module)


def good_message(encoding: str = "mono8") -> Image:
    message = to_image(Header(), np.zeros((4, 6), np.uint8), "mono8")
    message.encoding = encoding
    return message


def test_an_encoding_outside_the_table_goes_to_cv_bridge(monkeypatch):
    bridged(monkeypatch, "mono12_packed")
    assert (to_bgr(good_message("mono12_packed")) == 7).all()
    assert (to_bgr(good_message("mono8")) == 0).all()


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [("RGB8", "did you mean 'rgb8'?"), ("32FC1", "'32FC1' holds floating-point values")],
)
def test_the_reason_is_ours_where_cv_bridge_cannot_help(monkeypatch, encoding, reason):
    bridged(monkeypatch, "mono12_packed")
    with pytest.raises(ImageError, match=re.escape(reason)):
        to_bgr(good_message(encoding))


@pytest.mark.parametrize("encoding", ["rgb8", "bgra8", "mono8", "mono16", "bayer_rggb8", "yuyv"])
def test_the_results_equal_cv_bridge(encoding):
    cv_bridge = pytest.importorskip("cv_bridge")
    pytest.importorskip("cv_bridge.boost.cv_bridge_boost")
    layout = ENCODINGS[encoding]
    dtype = np.dtype(f"u{layout.depth // 8}")
    size = (32, 48, layout.channels) if layout.channels > 1 else (32, 48)
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, size, dtype)
    message = cv_bridge.CvBridge().cv2_to_imgmsg(pixels)
    message.encoding = encoding
    assert np.array_equal(to_bgr(message), cv_bridge.CvBridge().imgmsg_to_cv2(message, "bgr8"))


@given(height=sizes, width=sizes, channels=st.sampled_from([0, 3]), seed=seeds)
def test_pixels_become_a_message_without_padding(height, width, channels, seed):
    shape = (height, width, channels) if channels else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    header = Header(frame_id="camera")
    message = to_image(header, pixels[::-1], "rgb8" if channels else "mono8")
    assert (message.height, message.width) == (height, width)
    assert message.step == width * (channels or 1)
    assert message.data.tobytes() == pixels[::-1].tobytes()
    assert message.header == header
    assert not message.is_bigendian


def filled(reused: ReusedImage, header: Header, pixels: np.ndarray, encoding: str) -> Image:
    canvas = reused.canvas(pixels.shape)
    np.copyto(canvas, pixels)
    return reused.message(header, image_fields(canvas, encoding))


def test_a_reused_message_holds_the_last_frame_in_the_same_memory():
    reused = ReusedImage()
    first, second = (np.full((4, 5, 3), level, np.uint8) for level in (1, 2))
    memory = filled(reused, Header(frame_id="one"), first, "rgb8").data.buffer_info()
    message = filled(reused, Header(frame_id="two"), second, "rgb8")
    assert message.data.buffer_info() == memory
    assert message.header.frame_id == "two"
    assert (message.height, message.width, message.step) == (4, 5, 15)
    assert message.encoding == "rgb8"
    assert message.data.tobytes() == second.tobytes()


def test_a_reused_message_follows_the_size_of_the_frames():
    reused = ReusedImage()
    for height, width in [(4, 5), (6, 3), (4, 5)]:
        pixels = np.arange(height * width, dtype=np.uint8).reshape(height, width)
        message = filled(reused, Header(), pixels, "mono8")
        assert (message.height, message.width, message.step) == (height, width, width)
        assert message.data.tobytes() == pixels.tobytes()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.booleans())
def test_a_png_is_lossless_and_read_as_any_compressed_image(height, width, seed, gradual):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    message = compressed_image(Header(frame_id="camera"), png_fields(pixels, gradual))
    assert message.header.frame_id == "camera"
    assert message.format.startswith("mono8; png compressed")
    decoded = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(decoded, pixels)
    assert np.array_equal(to_bgr(message)[..., 0], pixels)
