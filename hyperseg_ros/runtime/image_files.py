"""Image files: read by the rules of `decoding`, written atomically."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.files import write_bytes
from hyperseg_ros.runtime.decoding import MAX_PIXELS, ImageError, decode_image, image_size
from hyperseg_ros.runtime.image_headers import SIGNATURE_BYTES, is_readable

IMAGE_SUFFIXES = frozenset(
    (".bmp", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
"""What the names of image files end with, in lower case."""
_BYTES_PER_PIXEL = 16
"""Of the longest file that can hold an image: RGBA of 32 bits."""


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder by their suffixes, in order of their names; hidden ones not."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )


def is_image(path: Path) -> bool:
    """Whether a file is an image, or meant to be one: by its suffix, or by its first bytes."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    with path.open("rb") as file:
        return is_readable(file.read(SIGNATURE_BYTES))


def read_image(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The image of a file.

    Args:
        path: JPEG, PNG, BMP, TIFF, WebP, JPEG 2000 or PNM.
        max_pixels: the most pixels that the image may have.

    Returns:
        BGR, uint8 [H, W, 3], as stored: an orientation in the EXIF data is ignored.

    Raises:
        ImageError: the file is no image, or one that is damaged, cut short or too large.
        OSError: the file cannot be read.
    """
    return np.asarray(read_pixels(path, cv2.IMREAD_COLOR, max_pixels), np.uint8)


def read_pixels(
    path: str | os.PathLike[str],
    flags: int = cv2.IMREAD_UNCHANGED,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[Any]:
    """The pixels of a file as they are stored: for labels, depth, 16-bit images.

    Args:
        path, max_pixels: as `read_image` takes them.
        flags: as `cv2.imread` takes them.

    Raises:
        ImageError, OSError: as `read_image` does.
    """
    content = _read(Path(path), max_pixels)
    try:
        return decode_image(content, flags, max_pixels)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def read_size(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Height and width of a file's image, which is not cut short.

    Args:
        path, max_pixels: as `read_image` takes them.

    Raises:
        ImageError, OSError: as `read_image` does, except for damage that only decoding finds.
    """
    content = _read(Path(path), max_pixels)
    try:
        return image_size(content, max_pixels)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def write_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write an image atomically, in the format of the path's suffix.

    Args:
        path: of the file.
        pixels: uint8 [H, W], or BGR [H, W, 3].

    Raises:
        OSError: it cannot be written; an existing file is as it was.
    """
    encoded, data = cv2.imencode(path.suffix, pixels)
    if not encoded:
        raise OSError(f"cannot write {path}: OpenCV cannot encode {pixels.shape} pixels")
    write_bytes(path, data.tobytes())


def _read(path: Path, max_pixels: int) -> bytes:
    if not path.is_file():
        raise ImageError(f"there is no file {path}")
    if path.stat().st_size > _BYTES_PER_PIXEL * max_pixels:
        raise ImageError(f"{path} is longer than any image of {max_pixels} pixels")
    return path.read_bytes()
