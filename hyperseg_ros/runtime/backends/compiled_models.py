"""The models that OpenVINO has compiled and keeps: bounded, and none that was damaged since."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from hyperseg_ros.files import write_text

LARGEST = 512 << 20
"""Bytes that compiled models may take; one of a shipped model takes 20 to 60 MB."""
_READ = 1 << 20


def folder_of(model: Path, folder: Path, *ways: object) -> Path:
    """Where a model file is kept that is compiled in a way: below `folder`, by its content."""
    key = hashlib.sha256(model.read_bytes())
    key.update(repr(ways).encode())
    return folder / key.hexdigest()[:16]


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep others, of this process or another, out of a folder of compiled models until the end.

    From before `drop_damaged` to after `seal`: who comes second then finds what the first compiled.
    The lock is a file beside the folder, which stays.

    Raises:
        OSError: the file can be neither made nor read, or it cannot be locked.
    """
    path = folder.with_suffix(".lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        lock = os.open(path, os.O_RDONLY)  # a folder that another user filled
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # a fork may have the file open still
    finally:
        os.close(lock)


def drop_damaged(folder: Path) -> None:
    """Drop what is not as `seal` has seen it: OpenVINO would take it, and give wrong labels.

    Raises:
        OSError: something damaged cannot be dropped.
    """
    for file in folder.glob("*.blob"):
        if not _is_sealed(file):
            _drop(file)


def seal(folder: Path, *, renew: bool = False) -> bool:
    """Note the checksum of each compiled model that has none.

    Args:
        folder: of compiled models.
        renew: note that of the others anew: one of them may have been written since.

    Returns:
        Whether there is a compiled model.

    Raises:
        OSError: a checksum cannot be written.
    """
    found = list(folder.glob("*.blob"))
    for file in found:
        if renew or not _seal_of(file).exists():
            write_text(_seal_of(file), _checksum(file))
    return bool(found)


def prune(folder: Path, largest: int = LARGEST) -> None:
    """Drop the least recently used until the rest fits; the last used one always stays.

    Args:
        folder: of compiled models, in it or below. Others may write to it at the same time, and
            what cannot be dropped stays.
        largest: bytes.
    """
    found = []
    for file in folder.rglob("*.blob"):
        with contextlib.suppress(OSError):  # another process was faster
            found.append((_last_used(file.stat()), file.stat().st_size, file))
    found.sort(reverse=True)
    total = 0
    for number, (_, size, file) in enumerate(found):
        total += size
        if number and total > largest:
            with contextlib.suppress(OSError):
                _drop(file)
                if file.parent != folder:
                    file.parent.rmdir()  # if that was the last


def _drop(file: Path) -> None:
    _seal_of(file).unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def _seal_of(file: Path) -> Path:
    return file.with_suffix(".crc32")


def _is_sealed(file: Path) -> bool:
    try:
        return _seal_of(file).read_bytes() == _checksum(file).encode()
    except OSError:
        return False


def _checksum(file: Path) -> str:
    total = 0
    with file.open("rb") as content:
        while part := content.read(_READ):
            total = zlib.crc32(part, total)
    return f"{total:08x}"


def _last_used(status: os.stat_result) -> float:
    """Seconds since the epoch; a file system that notes no access tells when it was written."""
    return max(status.st_atime, status.st_mtime)
