"""The overlay video."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

CODECS = (("mp4v", ".mp4"), ("MJPG", ".avi"))
"""Codec and suffix, the best first; Motion JPEG needs nothing outside OpenCV."""


class VideoError(RuntimeError):
    """No video can be written; the message says where and with which codecs it was tried."""


class VideoWriter:
    """Writes pictures that come at irregular times as a video that keeps the drive's time.

    A picture is shown until the next one comes, as a viewer beside the camera would see it: where
    frames were dropped the last picture stands still.

    Args:
        stem: the file without its suffix, which depends on the codec found.
        rate: frames a second of the video.

    Raises:
        VideoError: at the first picture, when no codec works.
    """

    def __init__(self, stem: Path, rate: float) -> None:
        self.path: Path | None = None
        """The file; None before the first picture."""
        self._stem = stem
        self._rate = rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._start = 0.0
        self._written = 0
        self._last: NDArray[np.uint8] | None = None

    def write(self, picture: NDArray[np.uint8], time: float) -> None:
        """Add a picture.

        Args:
            picture: uint8 [H, W, 3], BGR; later ones are scaled to the size of the first.
            time: seconds of the drive's clock at which it was taken, later than the one before.
        """
        if self._writer is None:
            self._start = time
            self._size = (picture.shape[1], picture.shape[0])
            self._writer = self._open()
        if (picture.shape[1], picture.shape[0]) != self._size:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        due = round((time - self._start) * self._rate)
        while self._last is not None and self._written < due:
            self._writer.write(self._last)
            self._written += 1
        self._writer.write(picture)
        self._written += 1
        self._last = picture

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None

    def _open(self) -> cv2.VideoWriter:
        for codec, suffix in CODECS:
            path = self._stem.with_name(self._stem.name + suffix)
            writer = cv2.VideoWriter(
                str(path), cv2.VideoWriter.fourcc(*codec), self._rate, self._size
            )
            if writer.isOpened():
                self.path = path
                return writer
        tried = ", ".join(codec for codec, _ in CODECS)
        raise VideoError(f"cannot write a video to {self._stem.parent}; codecs tried: {tried}")
