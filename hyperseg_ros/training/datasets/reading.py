"""The pixels and sizes of a data set's image and label files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from hyperseg_ros.runtime import image_files
from hyperseg_ros.runtime.decoding import ImageError
from hyperseg_ros.training.datasets.labelled_images import DatasetError

_BITS_PER_SAMPLE = 258
"""The tag of TIFF."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file, uint8 [H, W, 3] RGB, as stored: EXIF orientation is ignored.

    Raises:
        DatasetError: it cannot be read, is cut short or does not decode.
    """
    try:
        image = image_files.read_image(path)
    except (ImageError, OSError) as error:
        raise DatasetError(str(error)) from None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


class RawLabels(NamedTuple):
    """The pixels of a label file.

    Attributes:
        pixels: ids, or indices of the palette, uint8 [H, W], or RGB [H, W, 3].
        palette: the RGB colour of each index, uint8 [N, 3]; None: the file has none.
        lossy: the file's kind changes pixels, as JPEG does.
    """

    pixels: NDArray[np.uint8]
    palette: NDArray[np.uint8] | None
    lossy: bool


def read_raw_labels(path: Path) -> RawLabels:
    """Decode a label file. Transparency is left out; ids of more than 8 bits become 8.

    Raises:
        DatasetError: it does not decode, or holds neither ids from 0 to 255 nor RGB colours.
    """
    palette = None
    try:
        with Image.open(path) as image:
            mode = image.mode
            lossy = _is_lossy(path, image)
            pixels = np.asarray(image.convert("RGB") if mode == "RGBA" else image)
            if mode == "P":
                palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path}: this label image does not decode ({error})") from None
    if mode in ("LA", "PA"):
        pixels = pixels[..., 0]
    elif mode == "1":
        pixels = pixels.astype(np.uint8)
    elif mode[0] in "IF":
        pixels = _small_ids(path, pixels)
    elif mode not in ("L", "P", "RGB", "RGBA"):
        raise DatasetError(
            f"{path}: labels are one channel of ids, a palette, or RGB colours, "
            f"not an image of mode {mode}; save them as PNG"
        )
    return RawLabels(pixels, palette, lossy)


def _small_ids(path: Path, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Ids of 16 or 32 bits, or of floats, as uint8."""
    small = np.clip(np.nan_to_num(pixels, nan=-1), 0, 255).astype(np.uint8)
    wrong = np.unique(pixels[small != pixels])
    if not wrong.size:
        return small
    hint = "renumber them from 0 to 255"
    if pixels.dtype.kind != "f" and not (pixels % 257).any():
        hint = "they are multiples of 257, 8-bit ids stretched to 16 bits: divide them by 257"
    raise DatasetError(
        f"{path}: ids are integers from 0 to 255, not {', '.join(map(str, wrong[:5]))}; {hint}"
    )


def _is_lossy(path: Path, image: Image.Image) -> bool:
    if image.format == "WEBP":
        return b"VP8 " in path.read_bytes()
    return image.format in ("JPEG", "MPO", "JPEG2000") or image.info.get("compression") == "jpeg"


def is_deep(path: Path) -> bool:
    """Whether an image file has 16 bits per channel."""
    try:
        with path.open("rb") as file:
            head = file.read(25)
        if head.startswith(b"\x89PNG"):
            return head[24:] == bytes([16])
        if head[:2] in (b"II", b"MM"):
            with Image.open(path) as image:
                tags = getattr(image, "tag_v2", {})
                return bool(max(tags.get(_BITS_PER_SAMPLE, (8,))) == 16)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        pass  # decoding it reports that
    return False


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of an image file, none of whose bytes are missing.

    Raises:
        DatasetError: it cannot be read, is cut short or does not decode.
    """
    try:
        return image_files.read_size(path)
    except (ImageError, OSError) as error:
        raise DatasetError(str(error)) from None


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
