"""The images of a folder, and true labels beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.image_files import IMAGE_SUFFIXES, images_in, read_image, read_pixels


def sample_images(folder: Path, most: int) -> list[Path]:
    """The image files of a folder, by name; of many, some that are evenly spread.

    Raises:
        ValueError: it is no folder, or holds no images.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder of images")
    files = images_in(folder)
    if not files:
        raise ValueError(f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    if len(files) <= most:
        return files
    return [files[index * len(files) // most] for index in range(most)]


def sample_frames(
    folder: Path, labels: Path | None, most: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8] | None]]:
    """The images of a folder, BGR, uint8 [H, W, 3], with true labels, uint8 [H, W], where given.

    Args:
        folder: of images.
        labels: folder of PNG files with the images' names, a class id a pixel; or None.
        most: images.

    Raises:
        ValueError: there are no images, one cannot be read, or its labels do not fit.
    """
    for file in sample_images(folder, most):
        image, truth = read_image(file), None
        if labels is not None:
            partner = labels / f"{file.stem}.png"
            truth = read_pixels(partner)
            if truth.dtype != np.uint8 or truth.shape != image.shape[:2]:
                raise ValueError(
                    f"{partner} is not a PNG of class ids, one byte a pixel, of the size of {file}"
                )
        yield image, truth
