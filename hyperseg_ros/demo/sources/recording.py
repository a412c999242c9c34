"""A camera of a recording as a drive, at the rate that it was recorded with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hyperseg_ros.demo.sources.drive import DEFAULT_RATE, Drive, Frame, SourceError, read_first
from hyperseg_ros.frames.pixels import to_bgr


def read_recording(path: Path, rate: float | None) -> Drive:
    """The images of a recording's first camera; those that cannot be read are an error in turn.

    Raises:
        SourceError: it cannot be read, has no camera, or what reads it is not installed.
    """
    try:
        from hyperseg_ros.recordings.cameras import find_cameras
        from hyperseg_ros.recordings.reading import Recording

        recording = Recording(path)
        topic = find_cameras(recording)[0].image
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{path}: the package {error.name} is not installed: pip install rosbags mcap"
        ) from None
    except ValueError as error:
        raise SourceError(str(error)) from None
    times = [stored.time for stored in recording.messages([topic])]
    seconds = (times[-1] - times[0]) / 1e9 if times else 0.0
    recorded = (len(times) - 1) / seconds if seconds > 0 else DEFAULT_RATE

    def frames() -> Iterator[Frame]:
        with recording:
            for stored in recording.messages([topic]):
                try:
                    yield Frame(to_bgr(recording.decode(stored)))
                except ValueError as error:
                    raise SourceError(f"{path}: {topic}: {error}") from None

    try:
        first = read_first(frames())
    except StopIteration:
        raise SourceError(f"{path}: no image of {topic} can be read: {recording.damage}") from None
    return Drive(
        title=f"{path}, {topic}",
        rate=rate or recorded,
        length=len(times),
        labelled=False,
        live=False,
        intrinsics=None,
        frames=first,
    )
