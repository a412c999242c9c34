"""Label images and overlays of image and video files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.runtime.image_files import read_image
from hyperseg_ros.runtime.segmenter import Segmenter

_FALLBACK_FRAME_RATE = 25.0


class FileSegmenter:
    """Segments files into a folder.

    Args:
        segmenter: what segments each image.
        output: an existing folder.
        opacity: of the class colours over the image, 0 to 1.
    """

    def __init__(self, segmenter: Segmenter, output: Path, opacity: float) -> None:
        self._segmenter = segmenter
        self._output = output
        self._opacity = opacity
        self._palette = segmenter.card.classes.palette()[:, ::-1]  # BGR, as OpenCV writes files

    def segment(self, path: Path) -> list[Path]:
        """Segment an image or a video; returns the files written.

        Raises:
            ValueError: the file is neither, or cannot be decoded.
            OSError: a result cannot be written.
        """
        if cv2.haveImageReader(str(path)):
            return self._segment_image(path)
        return [self._segment_video(path)]

    def _segment_image(self, path: Path) -> list[Path]:
        labels, blend = self._draw(read_image(path))
        written = []
        for kind, pixels in (("label", labels), ("overlay", blend)):
            target = self._output / f"{path.stem}_{kind}.png"
            if not cv2.imwrite(str(target), pixels):
                raise OSError(f"cannot write {target}")
            written.append(target)
        return written

    def _segment_video(self, path: Path) -> Path:
        capture = cv2.VideoCapture(str(path))
        try:
            frames = _frames(capture)
            first = next(frames, None)
            if first is None:
                raise ValueError(f"{path} is neither an image nor a video that OpenCV can read")
            rate = capture.get(cv2.CAP_PROP_FPS) or _FALLBACK_FRAME_RATE
            target = self._output / f"{path.stem}_overlay.mp4"
            height, width = first.shape[:2]
            writer = cv2.VideoWriter(
                str(target), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height)
            )
            if not writer.isOpened():
                raise OSError(f"cannot write {target}")
            try:
                writer.write(self._draw(first)[1])
                for frame in frames:
                    writer.write(self._draw(frame)[1])
            finally:
                writer.release()
        finally:
            capture.release()
        return target

    def _draw(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        labels = self._segmenter(image).labels
        return labels, overlay(image, colorize(labels, self._palette), self._opacity)


def _frames(capture: cv2.VideoCapture) -> Iterator[NDArray[np.uint8]]:
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield np.asarray(frame, np.uint8)
