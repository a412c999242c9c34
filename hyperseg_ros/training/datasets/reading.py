"""The pixels and sizes of a data set's image and label files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from hyperseg_ros.runtime.decoding import is_cut_short
from hyperseg_ros.training.datasets.labelled_images import DatasetError


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file, uint8 [H, W, 3] RGB, with its pixels as they are stored, whatever EXIF says.

    Raises:
        DatasetError: it cannot be read, is cut short or does not decode.
    """
    content = np.frombuffer(check_whole(path), np.uint8)
    try:
        # As the node decodes what cameras send.
        image = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise DatasetError(f"{path}: this image does not decode")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def check_whole(path: Path) -> bytes:
    """The bytes of an image file, none missing at its end."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot read this image: {error.strerror}") from None
    if is_cut_short(content):
        raise DatasetError(
            f"{path}: this image is cut short, at {len(content)} bytes; copy it again"
        )
    return content


def read_raw_labels(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The pixels of a label file, and its palette.

    Returns:
        Ids, or indices of the palette, uint8 [H, W], or RGB [H, W, 3]; and the RGB colour of each
        index, uint8 [N, 3], or None where it has no palette.

    Raises:
        DatasetError: it does not decode, or has other channels than these.
    """
    palette = None
    try:
        with Image.open(path) as image:
            mode = image.mode
            raw = np.asarray(image.convert("RGB") if mode == "RGBA" else image)
            if mode == "P":
                palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path}: this label image does not decode ({error})") from None
    if mode not in ("L", "P", "RGB", "RGBA"):
        raise DatasetError(
            f"{path}: labels are one 8-bit channel of ids, a palette, or 8-bit RGB colours, "
            f"not an image of mode {mode}"
        )
    return raw, palette


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of an image file, from its head.

    Raises:
        DatasetError: it does not decode.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, UnidentifiedImageError):
        raise DatasetError(f"{path}: this image does not decode") from None


def check_sizes(
    image_path: Path, image: Sequence[int], label_path: Path, labels: Sequence[int]
) -> None:
    """Raise DatasetError where labels are not as high and wide as their image."""
    if tuple(labels) != tuple(image):
        turned = tuple(labels) == tuple(image)[::-1] and _orientation(image_path) > 1
        hint = "; its EXIF orientation, which is not applied, turns it: turn its pixels instead"
        raise DatasetError(
            f"{label_path}: the labels are {labels[1]} x {labels[0]}, "
            f"the image {image_path.name} is {image[1]} x {image[0]}{hint * turned}"
        )


def _orientation(path: Path) -> int:
    """The EXIF orientation of an image file: 1, also where it has none, for pixels as stored."""
    with Image.open(path) as image:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
