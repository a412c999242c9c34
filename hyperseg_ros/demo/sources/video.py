"""A video file or a video device as a drive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from hyperseg_ros.demo.sources.drive import DEFAULT_RATE, Drive, Frame, SourceError, read_first

VIDEO_DEVICE = re.compile(r"/dev/video\d+")
HEADER_ERROR = 0.05
"""Share of a video's frames that its header may claim too many, by rounding its duration."""


def read_video(path: Path, rate: float | None) -> Drive:
    """The frames of a video file.

    Raises:
        SourceError: no frame can be decoded. Of a video that ends before its header says, the
            frames raise it at the end.
    """
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise SourceError(f"cannot read {path}: it is broken, or not a video that OpenCV knows")
    count = max(0, round(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    own_rate = _sane_rate(capture)
    try:
        frames = read_first(_whole(path, _captured(capture), count))
    except StopIteration:
        raise SourceError(f"no frame can be decoded from {path}") from None
    return Drive(
        title=str(path),
        rate=rate or own_rate,
        length=count or None,
        labelled=False,
        live=False,
        intrinsics=None,
        frames=frames,
    )


def open_device(device: str, rate: float | None, size: tuple[int, int] | None) -> Drive:
    """The images of a video device, such as /dev/video0.

    Raises:
        SourceError: there is no such device, or it gives no images.
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
    try:
        frames = read_first(_captured(capture))
    except StopIteration:
        raise SourceError(f"{device} gives no images: it may not be a camera") from None
    return Drive(
        title=device,
        rate=_sane_rate(capture),
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


def _whole(path: Path, frames: Iterator[Frame], count: int) -> Iterator[Frame]:
    """The frames, and an error after the last one where the header says that more should come."""
    decoded = 0
    for frame in frames:
        decoded += 1
        yield frame
    if 0 < decoded < count * (1 - HEADER_ERROR) - 1:
        raise SourceError(f"{path} is cut short: {decoded} of {count} frames can be decoded")


def _sane_rate(capture: cv2.VideoCapture) -> float:
    """The capture's frames a second; containers and drivers that do not know it say 0 or worse."""
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if 1 <= rate <= 240 else DEFAULT_RATE
