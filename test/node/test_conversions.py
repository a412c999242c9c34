"""Conversion of every encoding against values that NumPy, or another path of OpenCV, arrives at."""

from __future__ import annotations

import array
import sys
import types

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.node.conversions import (
    ENCODINGS,
    MAX_SIDE,
    ImageError,
    ReusedImage,
    to_bgr,
    to_image,
    to_png,
)

CHANNELS = {"rgb": 3, "bgr": 3, "bgra": 4, "rgba": 4, "mono": 1}


def narrow(wide: np.ndarray) -> np.ndarray:
    """0..65535 to 0..255, rounded to nearest: 65535 / 255 = 257 is odd, so there are no ties."""
    return ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)


def swapped(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., ::-1]


def gray(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels, 3, axis=-1)


def same(pixels: np.ndarray) -> np.ndarray:
    return pixels


# encoding: channels, dtype, and BGR pixels of [H, W, channels]
PLAIN = {
    "bgr8": (3, np.uint8, same),
    "8UC3": (3, np.uint8, same),
    "rgb8": (3, np.uint8, swapped),
    "bgra8": (4, np.uint8, lambda p: p[..., :3]),
    "rgba8": (4, np.uint8, lambda p: p[..., 2::-1]),
    "mono8": (1, np.uint8, gray),
    "8UC1": (1, np.uint8, gray),
    "mono16": (1, np.uint16, lambda p: narrow(gray(p))),
    "bgr16": (3, np.uint16, narrow),
    "rgb16": (3, np.uint16, lambda p: narrow(swapped(p))),
    "bayer_rggb8": (1, np.uint8, lambda p: cv2.cvtColor(p, cv2.COLOR_BayerRGGB2BGR)),
    "bayer_bggr8": (1, np.uint8, lambda p: cv2.cvtColor(p, cv2.COLOR_BayerBGGR2BGR)),
    "bayer_gbrg8": (1, np.uint8, lambda p: cv2.cvtColor(p, cv2.COLOR_BayerGBRG2BGR)),
    "bayer_grbg8": (1, np.uint8, lambda p: cv2.cvtColor(p, cv2.COLOR_BayerGRBG2BGR)),
    "yuv422": (2, np.uint8, lambda p: cv2.cvtColor(swapped(p).copy(), cv2.COLOR_YUV2BGR_YUYV)),
    "yuv422_yuy2": (2, np.uint8, lambda p: cv2.cvtColor(swapped(p).copy(), cv2.COLOR_YUV2BGR_UYVY)),
}
TWO_PLANES = {"nv12": cv2.COLOR_YUV2BGR_NV12, "nv21": cv2.COLOR_YUV2BGR_NV21}


def packed(rows: np.ndarray, padding: int, big_endian: bool) -> tuple[array.array, int]:
    """Rows of any dtype as message data, each followed by bytes that must not be read as pixels."""
    stored = rows.astype(rows.dtype.newbyteorder(">" if big_endian else "<"))
    data = array.array("B")
    for row in stored:
        data.frombytes(row.tobytes() + b"\xa5" * padding)
    return data, stored[0].nbytes + padding


def message_of(
    encoding: str, rows: np.ndarray, height: int, padding: int = 0, big_endian: bool = False
) -> Image:
    data, step = packed(rows, padding, big_endian)
    return Image(
        height=height,
        width=rows.shape[1],
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=step,
        data=data,
    )


sizes = st.integers(1, 23)
paddings = st.integers(0, 9)
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("encoding", PLAIN)
@given(height=sizes, width=sizes, padding=paddings, big_endian=st.booleans(), seed=seeds)
def test_pixels_of_every_encoding(encoding, height, width, padding, big_endian, seed):
    channels, dtype, expected = PLAIN[encoding]
    if encoding.startswith("yuv"):
        width *= 2
    pixels = np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max + 1, (height, width, channels), dtype
    )
    image = to_bgr(message_of(encoding, pixels, height, padding, big_endian))
    assert image.dtype == np.uint8
    assert np.array_equal(image, expected(pixels))


@pytest.mark.parametrize("encoding", TWO_PLANES)
@given(half_height=sizes, half_width=sizes, padding=paddings, seed=seeds)
def test_pixels_of_two_planes(encoding, half_height, half_width, padding, seed):
    random = np.random.default_rng(seed)
    luma = random.integers(0, 256, (2 * half_height, 2 * half_width), np.uint8)
    chroma = random.integers(0, 256, (half_height, half_width, 2), np.uint8)
    rows = np.concatenate([luma, chroma.reshape(half_height, -1)])
    image = to_bgr(message_of(encoding, rows, 2 * half_height, padding))
    assert np.array_equal(image, cv2.cvtColorTwoPlane(luma, chroma, TWO_PLANES[encoding]))


@pytest.mark.parametrize(
    ("encoding", "block"),
    [
        # The primary colour red in BT.601 studio range: Y 81, U 90, V 240.
        ("yuv422", [[90, 81, 240, 81]]),
        ("yuv422_yuy2", [[81, 90, 81, 240]]),
        ("nv12", [[81, 81], [81, 81], [90, 240]]),
        ("nv21", [[81, 81], [81, 81], [240, 90]]),
    ],
)
def test_red_is_red(encoding, block):
    rows = np.tile(np.array(block, np.uint8), (1, 4))
    message = message_of(encoding, rows, 2 if encoding.startswith("nv") else 1)
    message.width = 8
    image = to_bgr(message).astype(int)
    assert np.abs(image - (0, 0, 255)).max() <= 2


@pytest.mark.parametrize(
    ("encoding", "first_row"),
    [("bayer_rggb8", "rg"), ("bayer_bggr8", "bg"), ("bayer_gbrg8", "gb"), ("bayer_grbg8", "gr")],
)
def test_bayer_red_is_red(encoding, first_row):
    second_row = {"rg": "gb", "bg": "gr", "gb": "rg", "gr": "bg"}[first_row]
    cell = [[200 if color == "r" else 0 for color in row] for row in (first_row, second_row)]
    image = to_bgr(message_of(encoding, np.tile(np.array(cell, np.uint8), (4, 4)), 8))
    assert (image[2:-2, 2:-2] == (0, 0, 200)).all()


def test_all_16_bit_values_round_to_nearest():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(to_bgr(message_of("mono16", values, 256))[..., 0], narrow(values))


def test_every_known_encoding_is_tested():
    assert set(ENCODINGS) == {*PLAIN, *TWO_PLANES}


@pytest.mark.parametrize("encoding", ["bgr8", "8UC3"])
@pytest.mark.parametrize("padding", [0, 5])
def test_bgr_is_not_copied(encoding, padding):
    message = message_of(encoding, np.zeros((4, 6, 3), np.uint8), 4, padding)
    assert np.shares_memory(to_bgr(message), np.frombuffer(message.data, np.uint8))


def test_padding_of_the_last_row_may_be_missing():
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    message = message_of("bgr8", pixels, 4, padding=3)
    message.data = message.data[:-3]
    assert np.array_equal(to_bgr(message), pixels)


def good_message() -> Image:
    return message_of("bgr8", np.zeros((4, 6, 3), np.uint8), 4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"height": 0}, "no pixels: it is 6 x 0"),
        ({"width": 0}, "no pixels: it is 0 x 4"),
        ({"height": 2**32 - 1}, f"beyond {MAX_SIDE} pixels a side"),
        ({"width": MAX_SIDE + 1}, f"beyond {MAX_SIDE} pixels a side"),
        ({"step": 17}, "step 17 is smaller than a row: 6 pixels of bgr8 take 18 bytes"),
        ({"height": 5}, "data has 72 bytes, fewer than 5 rows x step 18 = 90"),
        ({"data": array.array("B")}, "data has 0 bytes"),
        ({"step": 2**32 - 1}, "data has 72 bytes"),
        ({"encoding": "bgr08"}, "unknown encoding 'bgr08': did you mean 'bgr8'"),
        ({"encoding": "RGB8"}, "did you mean 'rgb8'"),
        ({"encoding": ""}, "unknown encoding ''"),
        ({"encoding": "yuv422", "width": 5}, "width 5 is odd"),
        ({"encoding": "nv12", "height": 3}, "height 3 is odd"),
        ({"encoding": "nv12", "step": 6, "height": 10}, "fewer than 15 rows x step 6"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(changes, reason):
    message = good_message()
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(ImageError, match=reason):
        to_bgr(message)


@given(
    height=st.integers(0, 2**32 - 1),
    width=st.integers(0, 2**32 - 1),
    step=st.integers(0, 2**32 - 1),
    encoding=st.sampled_from([*ENCODINGS, "32FC1", "???"]),
    data=st.binary(max_size=64),
)
def test_any_message_gives_pixels_or_an_image_error(height, width, step, encoding, data):
    message = Image(height=height, width=width, step=step, encoding=encoding)
    message.data = array.array("B", data)
    try:
        image = to_bgr(message)
    except ImageError:
        return
    assert image.shape == (height, width, 3)


def test_an_encoding_outside_the_table_goes_to_cv_bridge(monkeypatch):
    """Which is not on PyPI; what matters is that it gets the message and may refuse it."""

    class CvBridgeError(TypeError):
        pass

    class CvBridge:
        def imgmsg_to_cv2(self, message, encoding):
            if message.encoding != "bayer_rggb16":
                raise CvBridgeError("not a color format")
            assert encoding == "bgr8"
            return np.full((message.height, message.width, 3), 7, np.uint8)

    module = types.SimpleNamespace(CvBridge=CvBridge, CvBridgeError=CvBridgeError)
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    message = good_message()
    message.encoding = "bayer_rggb16"
    assert (to_bgr(message) == 7).all()
    message.encoding = "32FC1"
    with pytest.raises(ImageError, match="cv_bridge cannot read '32FC1': not a color format"):
        to_bgr(message)


@pytest.mark.parametrize("encoding", [name for name in PLAIN if not name.startswith("8U")])
def test_the_results_equal_cv_bridge(encoding):
    cv_bridge = pytest.importorskip("cv_bridge")
    channels, dtype, _ = PLAIN[encoding]
    pixels = np.random.default_rng(0).integers(
        0, np.iinfo(dtype).max + 1, (32, 48, channels), dtype
    )
    message = message_of(encoding, pixels, 32)
    bridged = cv_bridge.CvBridge().imgmsg_to_cv2(message, "bgr8")
    assert np.array_equal(to_bgr(message), bridged)


def compressed(extension: str, pixels: np.ndarray) -> CompressedImage:
    return CompressedImage(
        format=f"bgr8; {extension} compressed bgr8",
        data=array.array("B", cv2.imencode(f".{extension}", pixels)[1].tobytes()),
    )


def scene(height: int = 24, width: int = 40) -> np.ndarray:
    gradient = np.linspace(0, 255, height * width * 3).reshape(height, width, 3)
    return gradient.astype(np.uint8)


def test_png_is_decoded_losslessly():
    assert np.array_equal(to_bgr(compressed("png", scene())), scene())


def test_jpeg_is_decoded():
    difference = to_bgr(compressed("jpg", scene())).astype(int) - scene()
    assert np.abs(difference).mean() < 4


def test_gray_is_decoded_to_three_channels():
    gray_scene = scene()[..., 0].copy()
    assert np.array_equal(to_bgr(compressed("png", gray_scene)), gray(gray_scene[..., None]))


def test_exif_does_not_turn_the_image():
    """The labels are for the pixels of the sensor, which CameraInfo speaks of, too."""
    jpeg = compressed("jpg", scene()).data.tobytes()
    orientation = bytes.fromhex("4d4d002a00000008000101120003000000010006000000000000")
    exif = b"Exif\0\0" + orientation
    tagged = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(tagged, np.uint8), cv2.IMREAD_COLOR).shape == (40, 24, 3)
    assert to_bgr(CompressedImage(data=array.array("B", tagged))).shape == (24, 40, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the image is empty"),
        (b"not a picture", "of format 'jpeg': the bytes are no image of a kind"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "the PNG is "),
    ],
)
def test_what_does_not_decode_is_refused(data, reason):
    with pytest.raises(ImageError, match=reason):
        to_bgr(CompressedImage(format="jpeg", data=array.array("B", data)))


@given(data=st.binary(max_size=200))
def test_any_compressed_data_gives_pixels_or_an_image_error(data):
    try:
        image = to_bgr(CompressedImage(data=array.array("B", data)))
    except ImageError:
        return
    assert image.ndim == 3


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


def test_a_reused_message_holds_the_last_frame_in_the_same_memory():
    reused = ReusedImage("rgb8")
    first, second = (np.full((4, 5, 3), level, np.uint8) for level in (1, 2))
    memory = reused.of(Header(frame_id="one"), first).data.buffer_info()
    message = reused.of(Header(frame_id="two"), second)
    assert message.data.buffer_info() == memory
    assert message.header.frame_id == "two"
    assert message.data.tobytes() == second.tobytes()
    second[:] = 3  # what was given is not kept
    assert set(message.data) == {2}


def test_what_is_drawn_on_a_canvas_is_in_the_message():
    reused = ReusedImage("rgb8")
    reused.canvas((4, 5, 3))[:] = 7
    message = reused.message(Header(frame_id="camera"))
    assert (message.height, message.width, message.step) == (4, 5, 15)
    assert message.data.tobytes() == b"\7" * 60


def test_a_reused_message_follows_the_size_of_the_frames():
    reused = ReusedImage("mono8")
    for height, width in [(4, 5), (6, 3), (4, 5)]:
        pixels = np.arange(height * width, dtype=np.uint8).reshape(height, width)
        message = reused.of(Header(), pixels)
        assert (message.height, message.width, message.step) == (height, width, width)
        assert message.data.tobytes() == pixels.tobytes()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.booleans())
def test_a_png_is_lossless_and_read_as_any_compressed_image(height, width, seed, gradual):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    message = to_png(Header(frame_id="camera"), pixels, gradual)
    assert message.header.frame_id == "camera"
    assert message.format.startswith("mono8; png compressed")
    decoded = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(decoded, pixels)
    assert np.array_equal(to_bgr(message)[..., 0], pixels)


@pytest.mark.parametrize("form", [".png", ".jpg"])
def test_a_compressed_image_is_whole_or_refused(form):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    whole = cv2.imencode(form, pixels)[1].tobytes()
    padded = to_bgr(CompressedImage(format=form, data=whole + b"\0" * 9))  # as some drivers do
    assert padded.shape == pixels.shape
    for length in range(8, len(whole) - 1, 7):
        with pytest.raises(ImageError, match="cut short"):
            to_bgr(CompressedImage(format=form, data=whole[:length]))
