"""Encoded images that were built to cost memory or time, or that are damaged; each of 1 MB or less.

All follow from a seed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

LARGEST = 1_000_000
"""Bytes of each."""
EIGHT_K = (4320, 7680)
KINDS = (".jpg", ".png", ".bmp", ".tif", ".webp", ".jp2", ".ppm", ".pgm", ".pbm")


def hostile_images(seed: int, mutations: int) -> Iterator[tuple[str, bytes]]:
    """Images with their names: those built to cost, then mutations of sound ones.

    Args:
        seed: of the sizes that are claimed and of the mutations.
        mutations: how many of these.
    """
    random = np.random.default_rng(seed)
    for name, data in _bombs(random):
        if len(data) <= LARGEST:
            yield name, data
    sound = {
        f"{kind} {height}x{width}": encode(kind, texture(random, height, width))
        for kind in KINDS
        for height, width in ((48, 64), (240, 320))
    }
    sound["progressive"] = encode(
        ".jpg", texture(random, 240, 320), cv2.IMWRITE_JPEG_PROGRESSIVE, 1
    )
    sound["restarts"] = encode(".jpg", texture(random, 240, 320), cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    names = sorted(sound)
    for number in range(mutations):
        name = names[random.integers(len(names))]
        yield f"mutation {number} of {name}", mutate(random, sound[name])[:LARGEST]


def texture(random: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Something between noise and a flat image."""
    noise = random.integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2), np.uint8)


def encode(kind: str, pixels: NDArray[np.uint8], *options: int) -> bytes:
    """An image file's bytes."""
    if kind in (".pgm", ".pbm"):
        pixels = pixels[..., 0]
    return bytes(cv2.imencode(kind, pixels, options)[1])


def mutate(random: np.random.Generator, data: bytes) -> bytes:
    """Bytes changed, cut, doubled or moved, mostly near the beginning, where headers are."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 6)):
        place = int(len(changed) * random.random() ** 3) if changed else 0
        match random.integers(6):
            case 0 | 1:
                changed[place : place + 1] = random.bytes(1)
            case 2:
                value = random.choice([0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
                layout = random.choice([">H", "<H", ">I", "<I"])
                mask = 0xFFFF if layout[1] == "H" else 0xFFFFFFFF
                part = struct.pack(layout, int(value) & mask)
                changed[place : place + len(part)] = part
            case 3:
                del changed[len(changed) - place :]
            case 4:
                length = int(random.integers(1, 200))
                changed[place:place] = changed[place : place + length]
            case 5:
                changed[place : place + int(random.integers(1, 64))] = b""
    return bytes(changed)


def png(
    width: int, height: int, depth: int, color: int, pixels: bytes, *chunks: tuple[bytes, bytes]
) -> bytes:
    """A PNG of compressed pixels as they are given."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    palette = [(b"PLTE", bytes(768))] if color == 3 else []
    parts = [(b"IHDR", header), *palette, *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def _bombs(random: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    height, width = EIGHT_K
    flat = np.full((height, width, 3), int(random.integers(256)), np.uint8)
    small = flat[:200, :300]
    for kind in (".jpg", ".png", ".webp", ".tif"):
        yield f"8K {kind}", encode(kind, flat)
    for quality in (1, 100):
        yield f"8K .jpg quality {quality}", encode(".jpg", flat, cv2.IMWRITE_JPEG_QUALITY, quality)
    yield "8K lossless .webp", encode(".webp", flat, cv2.IMWRITE_WEBP_QUALITY, 101)
    yield "4K .jp2", encode(".jp2", flat[:2160, :3840])
    progressive = encode(".jpg", flat, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    yield "8K progressive .jpg", progressive
    for share in (2, 4, 16):
        part = encode(".jpg", flat[: height // share], cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
        last = part[part.rfind(b"\xff\xda") : -2]
        for scans in (10, 100, 1000, 10000):
            data = part[:-2] + last * scans + b"\xff\xd9"
            yield f"1/{share} of 8K, {scans} scans more", data
    for depth, color in ((1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 3), (16, 4), (16, 6)):
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
        row = 1 + (width * depth * channels + 7) // 8
        data = _deflated(row * height)
        yield f"8K PNG of {depth} bits, colour type {color}", png(width, height, depth, color, data)
        yield (
            f"the same of {depth} bits, colour type {color}, animated",
            png(width, height, depth, color, data, (b"acTL", struct.pack(">II", 2, 0))),
        )
    bomb = _deflated(900_000_000)
    yield "8 x 8 PNG that unpacks to 0.9 GB", png(8, 8, 8, 2, bomb)
    yield (
        "8 x 8 PNG with a text of 0.9 GB",
        png(8, 8, 8, 2, _deflated(200), (b"zTXt", b"a\0\0" + bomb)),
    )
    yield (
        "8 x 8 PNG with a profile of 0.9 GB",
        png(8, 8, 8, 2, _deflated(200), (b"iCCP", b"a\0\0" + bomb)),
    )
    for claim in (16384, 30000, 65000, 2**31 - 1, int(random.integers(8000, 60000))):
        yield from _claims(small, claim)


def _claims(small: NDArray[np.uint8], claim: int) -> Iterator[tuple[str, bytes]]:
    """Small files that claim to be `claim` pixels wide and high."""
    jpeg = bytearray(encode(".jpg", small))
    place = jpeg.find(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", claim & 0xFFFF, claim & 0xFFFF)
    yield f"JPEG that claims {claim}", bytes(jpeg)
    yield f"PNG that claims {claim}", png(claim, claim, 1, 0, _deflated(100_000))
    bmp = bytearray(encode(".bmp", small))
    bmp[18:26] = struct.pack("<ii", claim, claim)
    yield f"BMP that claims {claim}", bytes(bmp)
    bmp[28:34] = struct.pack("<HI", 8, 1)
    yield f"BMP of run lengths that claims {claim}", bytes(bmp)
    yield f"PNM that claims {claim}", b"P4\n%d %d\n" % (claim, claim) + bytes(1000)
    yield f"PNM of text that claims {claim}", b"P1\n%d %d\n" % (claim, claim) + b"0 " * 1000
    tiff = bytearray(encode(".tif", small))
    for tag in (256, 257):
        place = tiff.find(struct.pack("<H", tag) + b"\x04\0") if tiff[:2] == b"II" else -1
        if place < 0:
            place = tiff.find(struct.pack("<H", tag) + b"\x03\0")
        tiff[place + 2 : place + 12] = struct.pack("<HII", 4, 1, claim)
    yield f"TIFF that claims {claim}", bytes(tiff)
    yield f"TIFF whose tile claims {claim}", _tiled_tiff(claim)
    jp2 = bytearray(encode(".jp2", small))
    place = jp2.find(b"\xff\x4f\xff\x51") + 8
    jp2[place : place + 8] = struct.pack(">II", claim, claim)
    yield f"JPEG 2000 that claims {claim}", bytes(jp2)
    jp2[place + 16 : place + 24] = struct.pack(">II", 1, 1)
    yield f"JPEG 2000 of tiny tiles that claims {claim}", bytes(jp2)


def _tiled_tiff(side: int) -> bytes:
    """One pixel, in a tile of `side` x `side`."""
    tags = [
        (256, 1), (257, 1), (258, 8), (259, 8), (262, 1), (277, 1), (322, side), (323, side),
        (324, 200), (325, 100),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + _deflated(1000)


def _deflated(size: int) -> bytes:
    """So many zeros, compressed."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*parts, packer.compress(bytes(size & 0xFFFFF)), packer.flush()])
