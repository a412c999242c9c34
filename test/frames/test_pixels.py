"""Every encoding against values that NumPy, or another path of OpenCV, arrives at."""

from __future__ import annotations

import re
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hyperseg_ros.frames.encodings import ENCODINGS, refusal
from hyperseg_ros.frames.pixels import (
    MAX_SIDE,
    ImageError,
    Reading,
    UnknownEncodingError,
    read_picture,
    to_bgr,
)

# Every name of sensor_msgs/image_encodings.hpp (rolling), the deprecated ones and the prefixes too.
HEADER = [
    "rgb8",
    "rgba8",
    "rgb16",
    "rgba16",
    "bgr8",
    "bgra8",
    "bgr16",
    "bgra16",
    "mono8",
    "mono16",
    "8UC1",
    "8UC2",
    "8UC3",
    "8UC4",
    "8SC1",
    "8SC2",
    "8SC3",
    "8SC4",
    "16UC1",
    "16UC2",
    "16UC3",
    "16UC4",
    "16SC1",
    "16SC2",
    "16SC3",
    "16SC4",
    "32SC1",
    "32SC2",
    "32SC3",
    "32SC4",
    "32FC1",
    "32FC2",
    "32FC3",
    "32FC4",
    "64FC1",
    "64FC2",
    "64FC3",
    "64FC4",
    "bayer_rggb8",
    "bayer_bggr8",
    "bayer_gbrg8",
    "bayer_grbg8",
    "bayer_rggb16",
    "bayer_bggr16",
    "bayer_gbrg16",
    "bayer_grbg16",
    "uyvy",
    "yuv422",
    "yuyv",
    "yuv422_yuy2",
    "nv21",
    "nv24",
    "8UC",
    "8SC",
    "16UC",
    "16SC",
    "32SC",
    "32FC",
    "64FC",
]


def narrow(wide: np.ndarray) -> np.ndarray:
    """0..65535 to 0..255, rounded to nearest: 65535 / 255 = 257 is odd, so there are no ties."""
    return ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)


def swapped(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., ::-1]


def gray(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels, 3, axis=-1)


def same(pixels: np.ndarray) -> np.ndarray:
    return pixels


BAYER = {
    "rggb": cv2.COLOR_BayerBG2BGR,
    "bggr": cv2.COLOR_BayerRG2BGR,
    "gbrg": cv2.COLOR_BayerGR2BGR,
    "grbg": cv2.COLOR_BayerGB2BGR,
}


def yuyv(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_YUV2BGR_YUYV)


def uyvy(pixels: np.ndarray) -> np.ndarray:
    return yuyv(swapped(pixels).copy())


# encoding: channels, dtype, and BGR pixels of [H, W, channels]
PLAIN = {
    "bgr8": (3, np.uint8, same),
    "8UC3": (3, np.uint8, same),
    "rgb8": (3, np.uint8, swapped),
    "bgra8": (4, np.uint8, lambda p: p[..., :3]),
    "8UC4": (4, np.uint8, lambda p: p[..., :3]),
    "rgba8": (4, np.uint8, lambda p: p[..., 2::-1]),
    "mono8": (1, np.uint8, gray),
    "8UC1": (1, np.uint8, gray),
    "mono16": (1, np.uint16, lambda p: narrow(gray(p))),
    "16UC1": (1, np.uint16, lambda p: narrow(gray(p))),
    "bgr16": (3, np.uint16, narrow),
    "16UC3": (3, np.uint16, narrow),
    "rgb16": (3, np.uint16, lambda p: narrow(swapped(p))),
    "bgra16": (4, np.uint16, lambda p: narrow(p[..., :3])),
    "16UC4": (4, np.uint16, lambda p: narrow(p[..., :3])),
    "rgba16": (4, np.uint16, lambda p: narrow(p[..., 2::-1])),
    "yuyv": (2, np.uint8, yuyv),
    "yuv422_yuy2": (2, np.uint8, yuyv),
    "uyvy": (2, np.uint8, uyvy),
    "yuv422": (2, np.uint8, uyvy),
    **{
        f"bayer_{pattern}8": (1, np.uint8, lambda p, code=code: cv2.cvtColor(p, code))
        for pattern, code in BAYER.items()
    },
    **{
        f"bayer_{pattern}16": (1, np.uint16, lambda p, code=code: cv2.cvtColor(narrow(p), code))
        for pattern, code in BAYER.items()
    },
}
TWO_PLANES = {"nv12": cv2.COLOR_YUV2BGR_NV12, "nv21": cv2.COLOR_YUV2BGR_NV21}


def packed(rows: np.ndarray, padding: int, big_endian: bool) -> tuple[bytes, int]:
    """Rows of any dtype as message data, each followed by bytes that must not be read as pixels."""
    stored = rows.astype(rows.dtype.newbyteorder(">" if big_endian else "<"))
    data = bytearray()
    for row in stored:
        data += row.tobytes() + b"\xa5" * padding
    return bytes(data), stored[0].nbytes + padding


def message_of(
    encoding: str, rows: np.ndarray, height: int, padding: int = 0, big_endian: bool = False
) -> SimpleNamespace:
    data, step = packed(rows, padding, big_endian)
    return SimpleNamespace(
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
    assume(height * width > 1)  # OpenCV 4.5 takes a single pixel for a scalar
    channels, dtype, expected = PLAIN[encoding]
    if channels == 2:
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


@given(height=sizes, width=sizes, padding=paddings, seed=seeds)
def test_nv24_has_the_colours_of_nv12_at_full_resolution(height, width, padding, seed):
    """Each pixel alone, doubled in both directions, is an NV12 image without subsampling."""
    random = np.random.default_rng(seed)
    luma = random.integers(0, 256, (height, width), np.uint8)
    chroma = random.integers(0, 256, (height, width, 2), np.uint8)
    step = width + padding
    data = np.full((3 * height, step), 0xA5, np.uint8)
    data[:height, :width] = luma
    data[height:].reshape(height, 2 * step)[:, : 2 * width] = chroma.reshape(height, -1)
    message = message_of("mono8", luma[..., None], height)
    message.encoding, message.step, message.data = "nv24", step, data.tobytes()

    doubled = luma.repeat(2, axis=0).repeat(2, axis=1)
    expected = cv2.cvtColorTwoPlane(doubled, chroma, cv2.COLOR_YUV2BGR_NV12)[::2, ::2]
    assert np.abs(to_bgr(message).astype(int) - expected).max() <= 2


@pytest.mark.parametrize(
    ("encoding", "block"),
    [
        # The primary colour red in BT.601 studio range: Y 81, U 90, V 240.
        ("yuv422", [[90, 81, 240, 81]]),
        ("uyvy", [[90, 81, 240, 81]]),
        ("yuv422_yuy2", [[81, 90, 81, 240]]),
        ("yuyv", [[81, 90, 81, 240]]),
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
    assert set(ENCODINGS) == {*PLAIN, *TWO_PLANES, "nv24"}


@pytest.mark.parametrize("name", [name for name in HEADER if name not in ENCODINGS])
def test_every_name_of_the_header_is_read_or_refused_with_the_reason(name):
    message = message_of("mono8", np.zeros((4, 6, 1), np.uint8), 4)
    message.encoding = name
    with pytest.raises(UnknownEncodingError) as caught:
        to_bgr(message)
    assert str(caught.value).startswith(f"{name!r} ")
    assert re.search(
        "signed values|floating-point values|what its .* channels are", str(caught.value)
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("YUYV", "yuyv"),
        ("Rgb8", "rgb8"),
        ("bgr-08", "bgr8"),
        ("Y16", "mono16"),
        ("YUY2", "yuyv"),
        ("GRAY8", "mono8"),
        ("Bayer_RGGB16", "bayer_rggb16"),
    ],
)
def test_a_hint_names_the_same_pixels(name, meant):
    assert f"unknown encoding {name!r}: did you mean {meant!r}?" in refusal(name)


@pytest.mark.parametrize(
    "name",
    ["yvyu", "vyuy", "bayer_rggb12", "mono12", "rbg8", "rgb10", "bayer_rgbg8", "nv42", "rgb"],
)
def test_a_hint_never_names_another_order_or_depth(name):
    assert "did you mean" not in refusal(name)


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


def good_message() -> SimpleNamespace:
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
        ({"data": b""}, "data has 0 bytes"),
        ({"step": 2**32 - 1}, "data has 72 bytes"),
        ({"encoding": "bgr08"}, "unknown encoding 'bgr08': did you mean 'bgr8'"),
        ({"encoding": "RGB8"}, "did you mean 'rgb8'"),
        ({"encoding": ""}, "unknown encoding ''"),
        ({"encoding": "yuv422", "width": 5}, "width 5 is odd"),
        ({"encoding": "nv12", "height": 3}, "height 3 is odd"),
        ({"encoding": "nv12", "step": 6, "height": 10}, "fewer than 15 rows x step 6"),
        ({"height": 3}, "data has 72 bytes, more than 3 rows x step 18 = 54 of a 6 x 3 bgr8 image"),
        ({"encoding": "mono8", "step": 6}, "more than 4 rows x step 6"),
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
    message = SimpleNamespace(
        height=height, width=width, step=step, encoding=encoding, is_bigendian=0, data=data
    )
    try:
        image = to_bgr(message)
    except ImageError:
        return
    assert image.shape == (height, width, 3)


def message_in(text: str, data: bytes) -> SimpleNamespace:
    return SimpleNamespace(format=text, data=data)


def compressed(extension: str, pixels: np.ndarray) -> SimpleNamespace:
    text = f"bgr8; {extension} compressed bgr8"
    return message_in(text, cv2.imencode(f".{extension}", pixels)[1].tobytes())


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
    jpeg = compressed("jpg", scene()).data
    orientation = bytes.fromhex("4d4d002a00000008000101120003000000010006000000000000")
    exif = b"Exif\0\0" + orientation
    tagged = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(tagged, np.uint8), cv2.IMREAD_COLOR).shape == (40, 24, 3)
    assert to_bgr(message_in("jpeg", tagged)).shape == (24, 40, 3)


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
        to_bgr(message_in("jpeg", data))


@given(data=st.binary(max_size=200))
def test_any_compressed_data_gives_pixels_or_an_image_error(data):
    try:
        image = to_bgr(message_in("", data))
    except ImageError:
        return
    assert image.ndim == 3


@pytest.mark.parametrize("form", [".png", ".jpg"])
def test_a_compressed_image_is_whole_or_refused(form):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    whole = cv2.imencode(form, pixels)[1].tobytes()
    padded = to_bgr(message_in(form, whole + b"\0" * 9))  # as some drivers do
    assert padded.shape == pixels.shape
    for length in range(8, len(whole) - 1, 7):
        with pytest.raises(ImageError, match="cut short"):
            to_bgr(message_in(form, whole[:length]))


# Sensors of fewer bits than their encoding


def ramp(lowest: int, highest: int) -> np.ndarray:
    return np.tile(np.linspace(lowest, highest, 64).astype(np.uint16), (48, 1))[..., None]


@pytest.mark.parametrize(
    ("lowest", "highest", "better"),
    [
        (0, 1023, r"\[0, 1023\]"),
        (0, 4095, r"\[0, 4095\]"),
        (0, 16383, r"\[0, 16383\]"),
        (7000, 9000, r"\[7000, 9000\]"),  # a thermal camera's band
    ],
)
@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "bayer_rggb16"])
def test_a_narrow_range_is_said_and_can_be_set(encoding, lowest, highest, better):
    message = message_of(encoding, ramp(lowest, highest), 48)
    assert re.search(
        f"set range_16bit to what the sensor gives, such as {better}", read_picture(message).warning
    )

    fitted = read_picture(message, Reading(range_16bit=(lowest, highest)))
    assert fitted.warning == ""
    expected = np.round((ramp(lowest, highest)[..., 0] - float(lowest)) * 255 / (highest - lowest))
    if encoding != "bayer_rggb16":
        assert np.array_equal(fitted.bgr[..., 0], expected)
    assert fitted.bgr.min() <= 4
    assert fitted.bgr.max() >= 251


def test_values_beyond_the_range_are_black_and_white():
    message = message_of("mono16", np.array([[[0], [99], [100], [300], [65535]]], np.uint16), 1)
    pixels = read_picture(message, Reading(range_16bit=(100, 300))).bgr
    assert pixels[0, :, 0].tolist() == [0, 0, 0, 255, 255]


def test_a_16_bit_image_of_full_range_has_no_warning():
    assert read_picture(message_of("mono16", ramp(0, 65535), 48)).warning == ""
    assert read_picture(message_of("mono16", ramp(20000, 60000), 48)).warning == ""


def test_a_hot_pixel_does_not_hide_a_narrow_range():
    pixels = ramp(7000, 9000)
    pixels[20, 30] = 65535
    assert "range_16bit" in read_picture(message_of("mono16", pixels, 48)).warning


def test_an_image_beyond_the_cap_is_refused():
    message = message_of("mono8", np.zeros((4, 6, 1), np.uint8), 4)
    assert to_bgr(message, Reading(max_pixels=24)).shape == (4, 6, 3)
    with pytest.raises(ImageError, match="6 x 4 pixels is larger than max_pixels, 23"):
        to_bgr(message, Reading(max_pixels=23))


# What a compressed image's format says


def png(pixels: np.ndarray, text: str) -> SimpleNamespace:
    return message_in(text, cv2.imencode(".png", pixels)[1].tobytes())


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("pattern", BAYER)
def test_a_compressed_bayer_pattern_has_colours(pattern, depth):
    mosaic = np.random.default_rng(0).integers(0, 2**depth, (24, 40), f"u{depth // 8}")
    raw = message_of(f"bayer_{pattern}{depth}", mosaic[..., None], 24)
    assert np.array_equal(
        to_bgr(png(mosaic, f"bayer_{pattern}{depth}; png compressed ")), to_bgr(raw)
    )


def test_a_compressed_16_bit_image_is_read_as_a_raw_one():
    message = png(ramp(0, 4095), "mono16; png compressed ")
    raw = message_of("mono16", ramp(0, 4095), 48)
    for reading in (Reading(), Reading(range_16bit=(0, 4095))):
        ours, expected = read_picture(message, reading), read_picture(raw, reading)
        assert np.array_equal(ours.bgr, expected.bgr)
        assert ours.warning == expected.warning


def test_pixels_that_the_codec_got_in_rgb_are_swapped_back():
    """compressed_image_transport: without "compressed bgr" the picture has the source's order."""
    stored = scene()[..., ::-1].copy()
    assert np.array_equal(to_bgr(png(stored, "rgb8; png compressed rgb8")), scene())
    assert np.array_equal(to_bgr(png(scene(), "rgb8; png compressed bgr8")), scene())


@pytest.mark.parametrize("text", ["rgb8; jpeg compressed mono8", "mono8; jpeg compressed "])
def test_what_is_said_to_be_grey_is_grey(text):
    pixels = to_bgr(message_in(text, cv2.imencode(".jpg", scene())[1].tobytes()))
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("rgb8; jpeg compressed mono8", "are grey, though the camera has colours"),
        ("bgr8; jpeg compressed bgr8", "are grey, though the camera has colours"),
        ("mono8; jpeg compressed ", ""),
        ("jpeg", ""),
        ("", ""),
    ],
)
def test_grey_pictures_of_a_colour_camera_get_a_warning(text, warning):
    picture = read_picture(message_in(text, cv2.imencode(".jpg", scene()[..., 0])[1].tobytes()))
    assert (warning in picture.warning) if warning else picture.warning == ""


@pytest.mark.parametrize("text", ["16UC1; compressedDepth png", "32FC1; compressedDepth rvl"])
def test_compressed_depth_is_not_a_picture(text):
    with pytest.raises(ImageError, match="holds distances, not a picture"):
        to_bgr(message_in(text, bytes(12) + cv2.imencode(".png", ramp(0, 99))[1].tobytes()))
