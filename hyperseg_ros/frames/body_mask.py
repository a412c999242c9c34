"""The robot's own body in a camera's images: no obstacle, and no ground."""

from __future__ import annotations

import os
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.geometry import GeometryError
from hyperseg_ros.runtime.image_files import read_pixels


@dataclass(frozen=True, eq=False)
class BodyMask:
    """Which pixels of a camera's images show the robot itself."""

    path: str
    pixels: NDArray[np.bool_]
    """Of the images' size, [H, W]."""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> BodyMask:
        """The mask of an image file: its pixels that are not black.

        Raises:
            ValueError: the file is not there, or cannot be read.
        """
        try:
            pixels = read_pixels(path)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        if pixels.ndim == 3:  # without the opacity
            pixels = pixels[..., :3].max(axis=2)
        return cls(str(path), pixels != 0)

    def of(self, frame: SegmentedFrame) -> NDArray[np.bool_]:
        """The mask of a frame's labels, bool, of their size.

        Raises:
            GeometryError: the camera's images are of another size than the mask.
        """
        whole = frame.frame
        if self.pixels.shape != whole.image.shape[:2]:
            (height, width), (rows, columns) = self.pixels.shape, whole.image.shape[:2]
            raise GeometryError(
                f"the body mask {self.path} is {width} x {height}, the images have "
                f"{columns} x {rows}: draw it on one of them"
            )
        if not frame.settings.at_input_size:
            return self.pixels
        part = self.pixels[whole.rows, whole.columns].astype(np.float32)
        height, width = frame.labels.shape
        return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) > 0)
