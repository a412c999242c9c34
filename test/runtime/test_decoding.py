import struct
import zlib
from array import array

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.runtime.decoding import MAX_PIXELS, ImageError, decode_image, image_size

KINDS = (".jpg", ".png", ".bmp", ".tif", ".webp", ".jp2", ".ppm")
LOSSLESS = (".png", ".bmp", ".tif", ".ppm")


def street(height=48, width=64, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def encode(kind, pixels, *options):
    return cv2.imencode(kind, pixels, options)[1].tobytes()


def decoded_by_opencv(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_opencvs(kind):
    data = encode(kind, street())
    pixels = decode_image(data)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (48, 64, 3)
    assert np.array_equal(pixels, decoded_by_opencv(data))
    assert image_size(data) == (48, 64)
    if kind in LOSSLESS:
        assert np.array_equal(pixels, street())


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview, lambda b: array("B", b)])
def test_the_content_may_be_in_any_buffer(buffer):
    data = encode(".png", street())
    assert np.array_equal(decode_image(buffer(data)), street())
    assert np.array_equal(decode_image(np.frombuffer(data, np.uint8)), street())


def test_what_is_stored_can_be_had_unchanged():
    deep = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30) * 100
    data = encode(".png", deep)
    assert np.array_equal(decode_image(data, cv2.IMREAD_UNCHANGED), deep)
    assert decode_image(data, cv2.IMREAD_GRAYSCALE).dtype == np.uint8


def with_orientation(jpeg, orientation):
    """A JPEG whose EXIF data ask a viewer to turn it."""
    entry = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entry
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_orientation_in_exif_is_ignored(orientation):
    jpeg = encode(".jpg", street())
    turned = with_orientation(jpeg, orientation)
    assert not np.array_equal(decoded_by_opencv(turned), decoded_by_opencv(jpeg))
    assert np.array_equal(decode_image(turned), decoded_by_opencv(jpeg))
    assert image_size(turned) == (48, 64)


JPEGS = {
    "baseline": (),
    "progressive": (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": (cv2.IMWRITE_JPEG_RST_INTERVAL, 3),
}


@pytest.fixture(params=JPEGS)
def jpeg(request):
    return encode(".jpg", street(), *JPEGS[request.param])


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, 512])
def test_a_jpeg_without_end_marker_is_whole_if_its_pixels_are(jpeg, missing, padding):
    data = jpeg[:-missing] + bytes(padding)
    assert np.array_equal(decode_image(data), decoded_by_opencv(jpeg))
    assert image_size(data) == (48, 64)


@pytest.mark.parametrize("padding", [b"", bytes(4000)])
def test_a_jpeg_that_lacks_rows_is_refused(jpeg, padding):
    scan = jpeg.find(b"\xff\xda")
    for length in range(2, len(jpeg) - 30, 7):
        content = jpeg[:length] + padding
        for read in (decode_image, image_size):
            with pytest.raises(
                ImageError, match="cut short" if length > scan + 20 else "JPEG|no image"
            ):
                read(content)


def test_a_cut_jpeg_with_a_scan_without_channels_is_refused():
    data = encode(".jpg", street(), *JPEGS["restarts"])
    scan = struct.pack(">HHBBBB", 0xFFDA, 6, 0, 0, 63, 0)
    with pytest.raises(ImageError, match="cut short"):
        decode_image(data[:-2] + scan)


def test_a_cut_jpeg_is_told_with_the_row_it_ends_at():
    data = encode(".jpg", street(480, 640))
    with pytest.raises(ImageError, match=r"no pixels from row (\d+) of 480 on") as found:
        decode_image(data[: len(data) // 2])
    row = int(str(found.value).split("row ")[1].split()[0])
    assert 200 < row < 280


def test_what_follows_the_end_marker_is_left_alone(jpeg):
    """A motion photo: a video behind the picture, with the bytes of markers in it."""
    video = b"\0\0\0\x18ftypmp42" + b"\xff\xda\xff\xd8\xff\xc0" * 100
    assert np.array_equal(decode_image(jpeg + video), decoded_by_opencv(jpeg))


@pytest.mark.parametrize("kind", [".png", ".bmp", ".webp", ".ppm"])
def test_a_file_that_is_cut_short_is_refused(kind):
    data = encode(kind, street())
    for length in range(2, len(data) - 1, 97):
        with pytest.raises(ImageError):
            decode_image(data[:length])
        with pytest.raises(ImageError):
            image_size(data[:length])


def test_a_png_may_have_something_behind_its_end():
    data = encode(".png", street())
    assert np.array_equal(decode_image(data + b"\0" * 9), street())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there are no bytes"),
        (b"not a picture", "no image of a kind that is read: JPEG, PNG"),
        (b"BM" + bytes(20), "BMP"),
        (b"P5\nno size", "no size in its header"),
        (b"\0\0\0\x18ftypheic" + bytes(500), "no image of a kind that is read"),
        (b"RIFF\x04\0\0\0WAVE", "no image of a kind that is read"),
        (b"II*\0\xff\xff\xff\xff", "TIFF is cut short"),
    ],
)
def test_what_is_no_image_is_refused(content, message):
    with pytest.raises(ImageError, match=message):
        decode_image(content)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_of_more_pixels_than_allowed_is_refused(kind):
    data = encode(kind, street())
    with pytest.raises(ImageError, match="64 x 48 pixels is larger than the 3071 pixels"):
        decode_image(data, max_pixels=48 * 64 - 1)
    assert decode_image(encode(".png", street()), max_pixels=48 * 64).shape == (48, 64, 3)


def png(width, height, depth=8, color=2, chunks=()):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def test_a_header_that_claims_a_huge_image_is_refused():
    assert MAX_PIXELS == 7680 * 4320
    jpeg = bytearray(encode(".jpg", street()))
    place = jpeg.find(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", 30000, 30000)
    with pytest.raises(ImageError, match="30000 x 30000 pixels is larger"):
        decode_image(jpeg)
    with pytest.raises(ImageError, match="40000 x 40000 pixels is larger"):
        decode_image(png(40000, 40000, 1, 0, [(b"IDAT", zlib.compress(bytes(1000)))]))


def test_a_chunk_longer_than_the_data_is_refused():
    data = bytearray(encode(".png", street()))
    place = data.find(b"IDAT") - 4
    data[place : place + 4] = struct.pack(">I", 0x7FFFFFF0)
    with pytest.raises(ImageError, match="chunk 'IDAT' of 2147483632 bytes is longer"):
        decode_image(data)


def test_a_png_that_unpacks_to_more_than_its_pixels_is_refused():
    bomb = zlib.compress(bytes(500_000_000), 9)
    assert len(bomb) < 1_000_000
    with pytest.raises(ImageError, match="unpacks to more than its pixels"):
        decode_image(png(8, 8, chunks=[(b"IDAT", bomb)]))


def test_a_jpeg_of_too_many_scans_is_refused():
    data = encode(".jpg", street(2000, 2000), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert decode_image(data).shape == (2000, 2000, 3)
    flat = encode(".jpg", np.zeros((2000, 2000, 3), np.uint8), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    last = flat[flat.rfind(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="built to keep a decoder busy"):
        decode_image(flat[:-2] + last * 1000 + b"\xff\xd9")


@given(st.binary(max_size=200), st.sampled_from(KINDS), st.data())
def test_damage_gives_an_image_of_the_size_it_says_or_an_image_error(noise, kind, data):
    content = bytearray(encode(kind, street(32, 40)))
    place = data.draw(st.integers(0, len(content)))
    content[place : place + len(noise)] = noise
    try:
        pixels = decode_image(content, max_pixels=100_000)
    except ImageError:
        return
    assert pixels.shape == (*image_size(content), 3)
