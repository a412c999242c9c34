"""Label images and overlays of image and video files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.drawing import colorize, overlay
from hyperseg_ros.runtime.image_files import images_in, is_image, read_image, write_image
from hyperseg_ros.runtime.image_headers import FORMATS
from hyperseg_ros.runtime.segmenter import Segmenter
from hyperseg_ros.runtime.video_files import FALLBACK_RATE, VideoError, VideoReader, VideoWriter

_RESULTS = ("_label", "_overlay")
"""What the names of results have behind their input's."""


def find_inputs(paths: Sequence[Path], output: Path) -> list[Path]:
    """The files that are meant: a folder stands for its images.

    Args:
        paths: files and folders.
        output: the folder for results; those that it holds already are no inputs.

    Raises:
        ValueError: one is not there, a folder has no images, or two files would have results of
            the same name.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            images = images_in(path)
            if path.resolve() == output.resolve():
                images = [image for image in images if not image.stem.endswith(_RESULTS)]
            if not images:
                raise ValueError(f"there are no images in the folder {path}")
            files += images
        elif path.is_file():
            files.append(path)
        else:
            raise ValueError(f"there is no file {path}")
    stems: dict[str, Path] = {}
    for path in files:
        other = stems.setdefault(path.stem, path)
        if other != path:
            raise ValueError(
                f"{other} and {path} would write the same files; segment them into two folders"
            )
    return list(stems.values())


class FileSegmenter:
    """Segments files into a folder.

    Args:
        segmenter: what segments each image.
        output: the folder, created if necessary.
        opacity: of the class colours over the image, 0 to 1.
    """

    def __init__(self, segmenter: Segmenter, output: Path, opacity: float) -> None:
        self._segmenter = segmenter
        self._output = output
        self._opacity = opacity
        self._palette = segmenter.card.classes.palette()[:, ::-1]  # BGR, as OpenCV writes files

    def segment(self, path: Path) -> Iterator[Path]:
        """Segment an image or a video, and yield each file once it is written.

        Raises:
            ValueError: the file is neither, or is damaged or cut short; of a video nothing is
                written then.
            OSError: a result cannot be written; an older one is kept.
        """
        if is_image(path):
            yield from self._segment_image(path)
        else:
            yield self._segment_video(path)

    def _segment_image(self, path: Path) -> Iterator[Path]:
        labels, blend = self._draw(read_image(path))
        for suffix, pixels in zip(_RESULTS, (labels, blend), strict=True):
            target = self._output / f"{path.stem}{suffix}.png"
            write_image(target, pixels)
            yield target

    def _segment_video(self, path: Path) -> Path:
        try:
            video = VideoReader(path)
        except VideoError:
            raise ValueError(
                f"{path} is neither a video that OpenCV can read nor an image: {', '.join(FORMATS)}"
            ) from None
        target = self._output / f"{path.stem}_overlay.mp4"
        with VideoWriter(target, video.rate or FALLBACK_RATE, video.size) as writer:
            for frame in video:
                writer.write(self._draw(frame)[1])
        return target

    def _draw(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        labels = self._segmenter(image).labels
        return labels, overlay(image, colorize(labels, self._palette), self._opacity)
