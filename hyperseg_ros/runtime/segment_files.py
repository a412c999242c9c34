"""Label images and overlays of image and video files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.runtime.files import writing
from hyperseg_ros.runtime.image_files import read_image
from hyperseg_ros.runtime.segmenter import Segmenter
from hyperseg_ros.runtime.video_files import FALLBACK_RATE, VideoReader, VideoWriter


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
            ValueError: the file is neither, or cannot be decoded to its end.
            OSError: a result cannot be written as a whole.
        """
        if cv2.haveImageReader(str(path)):
            return self._segment_image(path)
        return [self._segment_video(path)]

    def _segment_image(self, path: Path) -> list[Path]:
        labels, blend = self._draw(read_image(path))
        written = []
        for kind, pixels in (("label", labels), ("overlay", blend)):
            target = self._output / f"{path.stem}_{kind}.png"
            with writing(target) as temporary:
                if not cv2.imwrite(str(temporary), pixels):
                    raise OSError(f"cannot write {target}: is the disk full?")
            written.append(target)
        return written

    def _segment_video(self, path: Path) -> Path:
        reader = VideoReader(path)
        target = self._output / f"{path.stem}_overlay.mp4"
        rate = reader.rate or FALLBACK_RATE
        with VideoWriter(target, rate, reader.size) as writer:
            for frame in reader:
                writer.write(self._draw(frame)[1])
        return target

    def _draw(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        labels = self._segmenter(image).labels
        return labels, overlay(image, colorize(labels, self._palette), self._opacity)
