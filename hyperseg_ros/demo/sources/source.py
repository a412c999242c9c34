"""Opens a source by its name."""

from __future__ import annotations

import difflib
from pathlib import Path

from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.demo.sources.drive import DEFAULT_RATE, Drive, SourceError
from hyperseg_ros.demo.sources.image_folder import read_folder
from hyperseg_ros.demo.sources.recording import read_recording
from hyperseg_ros.demo.sources.street import SIMULATED, simulate
from hyperseg_ros.demo.sources.video import VIDEO_DEVICE, open_device, read_video
from hyperseg_ros.recordings.places import is_recording


def open_source(
    source: str,
    classes: ClassTable = CAMVID,
    *,
    rate: float | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> Drive:
    """Open a drive.

    Args:
        source: `simulated`, a video file, an image folder, a recording, or /dev/videoN.
        classes: the classes the labels are wanted in.
        rate: frames a second; None: the source's own, or `DEFAULT_RATE` where it has none.
        size: width and height, of the simulated camera or asked of a device.
        seed: of the simulated drive.

    Raises:
        SourceError: nothing can be read there, or an argument does not fit the source.
    """
    if rate is not None and not rate > 0:
        raise SourceError(f"the rate must be above 0 frames a second, not {rate:g}")
    if source == SIMULATED:
        return simulate(classes, rate or DEFAULT_RATE, size, seed)
    if VIDEO_DEVICE.fullmatch(source):
        return open_device(source, rate, size)
    if size is not None:
        raise SourceError(
            f"a size can be chosen for the simulated camera and for devices; {source} has its own"
        )
    path = Path(source).expanduser()
    if path.exists() and is_recording(path):
        return read_recording(path, rate)
    if path.is_dir():
        return read_folder(path, classes, rate or DEFAULT_RATE)
    if path.is_file():
        return read_video(path, rate)
    raise SourceError(f"no such file or folder: {source}{_hint(path)}")


def _hint(path: Path) -> str:
    """What may have been meant by a path that does not exist."""
    if path.name and SIMULATED.startswith(path.name[:3].lower()) and len(path.parts) == 1:
        return f"; did you mean {SIMULATED}?"
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    nearest = difflib.get_close_matches(path.name, siblings, n=1)
    return f"; did you mean {path.parent / nearest[0]}?" if nearest else ""
