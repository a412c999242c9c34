"""Where recordings and bags lie: in folders, or in an object store that `fsspec` reaches."""

from __future__ import annotations

import shutil
from pathlib import Path

from hyperseg_ros import files
from hyperseg_ros.recordings.errors import RecordingError


def place(text: str) -> Path:
    """The path of a file or folder, or of a URL such as s3://bucket/drives/monday.

    A URL gives an object with the methods of `pathlib.Path`, by universal_pathlib.

    Raises:
        RecordingError: what a URL needs is not installed, or its kind is not known.
    """
    if "://" not in text:
        return Path(text)
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    try:
        from upath import UPath

        path: Path = UPath(text)
    except ModuleNotFoundError as error:
        raise RecordingError(
            f"{text}: the package {error.name} is not installed: in a checkout of hyperseg_ros, "
            "pip install '.[fleet]'"
        ) from None
    except (ImportError, ValueError) as error:  # s3fs for s3://, gcsfs for gs://, ...
        raise RecordingError(f"{text} cannot be reached: {error}") from None
    return path


STORAGE_SUFFIXES = (".mcap", ".db3")
"""Of the files of a rosbag2 recording."""


def is_recording(path: Path) -> bool:
    """Whether a path is to be read as a recording, by its name and what the folder holds."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or any(
            file.suffix in STORAGE_SUFFIXES for file in path.iterdir()
        )
    return path.suffix in (*STORAGE_SUFFIXES, ".bag")


def is_local(path: Path) -> bool:
    """Whether a path is of this machine's own file systems."""
    return not hasattr(path, "fs") or getattr(path, "protocol", "") in ("", "file", "local")


def remove(folder: Path) -> None:
    """Removes a folder with all that is in it; fine if it is not there."""
    if is_local(folder):
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():
        folder.fs.rm(folder.path, recursive=True)  # type: ignore[attr-defined]


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically."""
    if is_local(path):
        files.write_text(path, text)
    else:
        path.write_text(text, encoding="utf-8")  # an object appears when it is complete


def put(folder: Path, there: Path, last: str) -> None:
    """Copies the files of a folder to a place that is not local.

    Args:
        folder: to copy.
        there: the folder to make.
        last: name of the file that is copied last, since it says that the others are there.
    """
    files = sorted(folder.iterdir(), key=lambda file: (file.name == last, file.name))
    there.mkdir(parents=True, exist_ok=True)
    for file in files:
        there.fs.put_file(str(file), (there / file.name).path)  # type: ignore[attr-defined]
