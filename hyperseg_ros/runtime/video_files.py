"""Video files: frames in, whether all of them came, and frames out, read back before they count."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.files import check_growth, writing

FALLBACK_RATE = 25.0
"""Frames a second of a file that does not say, or says what no camera has."""
RATES = (1.0, 500.0)
"""Least and greatest rate that is believed; containers say 1000 or 90000 for unknown."""
CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
"""By suffix; Motion JPEG needs nothing outside OpenCV."""
_MISSING = 0.05
"""Share of the frames in a header that may be missing before the file counts as damaged."""

_ERRORS = 2
"""OpenCV's log level without warnings."""
_STILL = 10
"""Frames after which a file that does not grow is looked at: OpenCV tells nothing of a full disk,
and collects up to 256 KB before it writes."""


class VideoError(ValueError):
    """A video that cannot be read completely; the message says why."""


class VideoReader:
    """The frames of a video file, once.

    Args:
        path: of the file.

    Raises:
        VideoError: no frame can be decoded. Of a file that is damaged or cut short, iterating
            raises it after the last frame that can be.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise VideoError(f"{path} is neither an image nor a video that OpenCV can read")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate: float | None = rate if RATES[0] <= rate <= RATES[1] else None
        """Frames a second; None where the file does not say."""
        self.length = max(0, round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        """Frames by the file's header; 0 where it does not say."""
        self._first = self._read()
        if self._first is None:
            self._capture.release()
            raise VideoError(f"no frame can be decoded from {path}")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame."""
        assert self._first is not None
        return self._first.shape[1], self._first.shape[0]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """BGR frames, uint8 [H, W, 3]."""
        try:
            number, frame = 0, self._first
            while frame is not None:
                number += 1
                yield frame
                frame = self._read()
        finally:
            self._capture.release()
        kind = _Container(self._path)
        is_short = self.length and number < self.length * (1 - _MISSING) - 1
        if kind.is_cut_short or (is_short and kind.counts_frames):
            of = f" of {self.length}" if self.length > number else ""
            raise VideoError(
                f"{self._path} is damaged or cut short: {number}{of} frames can be decoded"
            )

    def _read(self) -> NDArray[np.uint8] | None:
        there, frame = self._capture.read()
        return np.asarray(frame, np.uint8) if there else None


class VideoWriter:
    """Writes a video atomically, as `files.writing` does.

    `close` reads the file back; leaving the context by an exception drops it.

    Args:
        path: of the file; its suffix, one of `CODECS`, says the format.
        rate: frames per second; it is rounded to what the format can have.
        size: width and height of the frames.

    Raises:
        OSError: the file cannot be written, or OpenCV here lacks the codec; from `write`, a few
            frames after the disk became full, and `close` too.
    """

    def __init__(self, path: str | os.PathLike[str], rate: float, size: tuple[int, int]) -> None:
        self.path = Path(path)
        self._written = 0
        self._size = self._still = 0
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self._temporary = stack.enter_context(writing(self.path, self._verify))
            codec = CODECS[self.path.suffix]
            self._writer = cv2.VideoWriter(
                str(self._temporary), cv2.VideoWriter.fourcc(*codec), writable_rate(rate), size
            )
            stack.callback(self._writer.release)
            if not self._writer.isOpened():
                raise OSError(
                    f"cannot write {self.path}: OpenCV cannot write {codec} of {size[0]} x "
                    f"{size[1]} pixels here"
                )
            self._stack = stack.pop_all()

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Adds a frame, BGR, uint8 [H, W, 3] of the size that was given.

        Raises:
            OSError: the disk is full.
        """
        with _silent():  # `OSError` says it once
            self._writer.write(frame)
        self._written += 1
        size = self._temporary.stat().st_size
        self._still = self._still + 1 if size == self._size else 0
        self._size = size
        if self._still and self._still % _STILL == 0:
            self._check_growth()

    def _check_growth(self) -> None:
        if self._writer.getBackendName() != "GSTREAMER":  # whose threads write at any time
            check_growth(self._temporary)

    def close(self) -> None:
        """Finishes the file.

        Raises:
            OSError: it does not hold the frames that were written, as on a full disk; the file
                that was there before is kept.
        """
        self._stack.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _verify(self, temporary: Path) -> None:
        capture = cv2.VideoCapture(str(temporary))
        frames = 0
        while frames < self._written and capture.grab():
            frames += 1
        capture.release()
        if frames < self._written:
            check_growth(temporary)
            raise OSError(
                f"cannot write {self.path}: only {frames} of {self._written} frames can be read "
                "back; is the disk full?"
            )


def writable_rate(rate: float) -> float:
    """The frame rate nearest to `rate` that MPEG-4 can have, whose time base is 16 bits."""
    if not RATES[0] <= rate <= RATES[1]:
        return FALLBACK_RATE
    return round(rate, 2)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """OpenCV logs no warnings, in versions that can be told so."""
    log = getattr(getattr(cv2, "utils", None), "logging", None)
    before = log and log.setLogLevel(_ERRORS)
    try:
        yield
    finally:
        if log:
            log.setLogLevel(before)


class _Container:
    """What the bytes of a file tell of its format."""

    def __init__(self, path: Path) -> None:
        self._size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(12)
            self.counts_frames = False
            """Whether the header's number of frames is exact."""
            self.is_cut_short = False
            """Whether the file ends before its last part does."""
            if head[:4] == b"RIFF":
                self.counts_frames = True
                self.is_cut_short = 8 + int.from_bytes(head[4:8], "little") > self._size
            elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
                self._read_boxes(file.fileno())

    def _read_boxes(self, file: int) -> None:
        """The top-level boxes of an MP4 or QuickTime file."""
        position = 0
        while 0 <= position < self._size:
            header = os.pread(file, 16, position)
            length = int.from_bytes(header[:4], "big")
            if length == 1:
                length = int.from_bytes(header[8:], "big")
            if length == 0:
                return  # to the end of the file
            if length < 8 or position + length > self._size:
                self.is_cut_short = True
                return
            if header[4:8] == b"moov":
                # With an edit list some frames of the header are not meant to be shown.
                self.counts_frames = b"elst" not in os.pread(file, length, position)
            position += length
