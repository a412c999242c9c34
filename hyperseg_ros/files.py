"""Atomic file writes: the old file stays until the new one is complete."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def writing(
    path: str | os.PathLike[str], verify: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Write a file through a temporary one in its folder, which replaces it when it is complete.

    with writing("report.json") as temporary:
        temporary.write_text(report)

    Args:
        path: the file to write; a link is followed. Its folder is created if necessary.
        verify: reads the temporary file, and raises if it is not what it should be.

    Yields:
        The path to write to, which has the suffix of `path`; there is an empty file.

    Raises:
        OSError: the file cannot be written, or nothing was written. Whatever is raised, in the
            `with` block too, the temporary file is removed, and the old file is as it was.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {path}: it exists and is not a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:64]}.{secrets.token_hex(4)}{path.suffix}")
    temporary.touch(exist_ok=False)
    try:
        with naming(path):
            if path.exists():
                temporary.chmod(path.stat().st_mode & 0o7777)
            yield temporary
            if not temporary.stat().st_size:
                raise OSError(f"cannot write {path}: nothing was written")
            if verify is not None:
                verify(temporary)
            _store(temporary)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def disk_is_full(error: BaseException) -> bool:
    """Whether an error says that a file cannot grow: no space, a quota, or a limit of its size."""
    return isinstance(error, OSError) and error.errno in _FULL


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Names the file in errors of a full disk, which the system raises without one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or not disk_is_full(error):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def check_growth(path: str | os.PathLike[str], size: int = 1 << 16) -> None:
    """Whether a file can grow; it is as long as before afterwards. Nobody else may write meanwhile.

    Args:
        path: the file.
        size: bytes that there has to be place for.

    Raises:
        OSError: the disk is full, see `disk_is_full`. Whatever else is wrong is not told.
    """
    handle = os.open(path, os.O_WRONLY)
    try:
        end = os.fstat(handle).st_size
        try:
            os.posix_fallocate(handle, end, size)
        except OSError as error:
            if disk_is_full(error):
                raise
        finally:
            os.ftruncate(handle, end)
    finally:
        os.close(handle)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, atomically.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file atomically.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    with writing(path) as temporary:
        temporary.write_bytes(content)


def _store(path: Path) -> None:
    """Flush a file to the disk before it replaces another: no crash leaves half a file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
