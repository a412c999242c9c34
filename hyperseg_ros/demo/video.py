"""The overlay video: keeps the drive's time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.video_files import CODECS, VideoWriter


class DriveVideo:
    """Writes pictures that come at irregular times as a video that keeps the drive's time.

    A picture is shown until the next one comes, as a viewer beside the camera would see it: where
    frames were dropped the last picture stands still.

    Args:
        stem: the file without its suffix, which depends on the codec found.
        rate: frames a second of the video.
    """

    def __init__(self, stem: Path, rate: float) -> None:
        self.path: Path | None = None
        """The file; None before the first picture."""
        self._stem = stem
        self._rate = rate
        self._writer: VideoWriter | None = None
        self._size = (0, 0)
        self._start = 0.0
        self._written = 0
        self._last: NDArray[np.uint8] | None = None

    def write(self, picture: NDArray[np.uint8], time: float) -> None:
        """Add a picture.

        Args:
            picture: uint8 [H, W, 3], BGR; later ones are scaled to the size of the first.
            time: seconds of the drive's clock at which it was taken, later than the one before.

        Raises:
            OSError: at the first picture, when no codec works.
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
        """Finish the file.

        Raises:
            OSError: it does not hold what was written, as on a full disk.
        """
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def drop(self, error: BaseException) -> None:
        """Leave no file, since the drive has failed."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.__exit__(type(error), error, error.__traceback__)

    def _open(self) -> VideoWriter:
        reasons = []
        for suffix in CODECS:
            self.path = self._stem.with_name(self._stem.name + suffix)
            try:
                return VideoWriter(self.path, self._rate, self._size)
            except OSError as error:
                reasons.append(str(error))
        raise OSError("; ".join(dict.fromkeys(reasons)))
