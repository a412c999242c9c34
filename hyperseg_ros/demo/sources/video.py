"""A video file or a video device as a drive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from hyperseg_ros.demo.sources.drive import DEFAULT_RATE, Drive, Frame, SourceError, read_first
from hyperseg_ros.runtime.video_files import VideoError, VideoReader

VIDEO_DEVICE = re.compile(r"/dev/video\d+")


def read_video(path: Path, rate: float | None) -> Drive:
    """The frames of a video file.

    Raises:
        SourceError: no frame can be decoded. Of a video that is damaged or cut short, the frames
            raise it at the end.
    """
    try:
        reader = VideoReader(path)
    except VideoError as error:
        raise SourceError(str(error)) from None
    return Drive(
        title=str(path),
        rate=rate or reader.rate or DEFAULT_RATE,
        length=reader.length or None,
        labelled=False,
        live=False,
        intrinsics=None,
        frames=_frames(reader),
    )


def _frames(reader: VideoReader) -> Iterator[Frame]:
    try:
        yield from map(Frame, reader)
    except VideoError as error:
        raise SourceError(str(error)) from None


def open_device(device: str, rate: float | None, size: tuple[int, int] | None) -> Drive:
    """The images of a video device, such as /dev/video0.

    Raises:
        SourceError: there is no such device, or it delivers no images.
    """
    if not Path(device).exists():
        present = ", ".join(sorted(str(p) for p in Path("/dev").glob("video*"))) or "none"
        raise SourceError(f"no such device: {device}; devices present: {present}")
    capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
    if not capture.isOpened():
        raise SourceError(
            f"cannot open {device}: another program may hold it, or your user is not in its group"
        )
    if size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    if rate is not None:
        capture.set(cv2.CAP_PROP_FPS, rate)
    own_rate = capture.get(cv2.CAP_PROP_FPS)  # drivers that do not know it say 0 or worse
    try:
        frames = read_first(_captured(capture))
    except StopIteration:
        raise SourceError(f"{device} delivers no images: it may not be a camera") from None
    return Drive(
        title=device,
        rate=own_rate if 1 <= own_rate <= 240 else DEFAULT_RATE,
        length=None,
        labelled=False,
        live=True,
        intrinsics=None,
        frames=frames,
    )


def _captured(capture: cv2.VideoCapture) -> Iterator[Frame]:
    try:
        while True:
            read, image = capture.read()
            if not read:
                return
            yield Frame(image.astype(np.uint8, copy=False))
    finally:
        capture.release()
