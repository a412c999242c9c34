"""A bag that appears under its name only when it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin

from hyperseg_ros.files import naming
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.mcap_writer import BagFileWriter
from hyperseg_ros.recordings.places import is_local, put, remove
from hyperseg_ros.recordings.plan import PLAIN, Storage

_FOREVER = QosTime(2147483647, 4294967295)


def qos(latched: bool = False) -> Qos:
    """Reliable, and for late subscribers too where `latched`, as the node publishes."""
    return Qos(
        QosHistory.KEEP_LAST,
        1,
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        _FOREVER,
        _FOREVER,
        QosLiveliness.AUTOMATIC,
        _FOREVER,
        False,
    )


class BagWriter:
    """Writes the messages of a bag.

    Args:
        writer: the open writer of `rosbags`.
    """

    def __init__(self, writer: BagFileWriter) -> None:
        self._writer = writer
        self.attached: dict[str, str] = {}
        """Text files, by name, that are to be in the bag's folder as soon as that is there."""
        self._connections: dict[tuple[str, str], Connection] = {}

    def add(
        self, topic: str, kind: str, definition: str, digest: str, profiles: list[Qos]
    ) -> Connection:
        """A topic to write to; the same one where it is added again.

        Args:
            topic: its name.
            kind: type of its messages.
            definition: text of the message definition, with those that it needs.
            digest: hash of the type, RIHS01.
            profiles: quality of service that it was, or is to be, published with.
        """
        key = topic, kind
        if key not in self._connections:
            self._connections[key] = self._writer.add_connection(
                topic, kind, msgdef=definition, rihs01=digest, offered_qos_profiles=profiles
            )
        return self._connections[key]

    def write(self, connection: Connection, time: int, data: bytes | memoryview) -> None:
        """Adds a serialized message, received at `time` in nanoseconds; it may not change later."""
        self._writer.write(connection, time, data)


@contextlib.contextmanager
def writing_bag(path: Path, storage: Storage = PLAIN, origin: str = "") -> Iterator[BagWriter]:
    """A bag to write; it appears at `path` when the block ends, and not at all if it fails.

    Args:
        path: the bag's folder; it must not exist.
        storage: how it is stored.
        origin: how it was made, kept in its metadata as `hyperseg`.

    Raises:
        RecordingError: something is there already.
        OSError: it cannot be written; a full disk is told by the first chunk that has no place.
    """
    if path.exists():
        raise RecordingError(f"{path} is there already: name another output, or remove it")
    plugin = StoragePlugin[storage.plugin.upper()]
    with _beside(path) as folder, naming(path), _sqlite_errors(path):
        # Version 8 is the last one that Humble reads.
        writer = BagFileWriter(folder / path.name, version=8, storage_plugin=plugin)
        if storage.compression == "zstd":
            writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer:
            if origin:
                writer.set_custom_data("hyperseg", origin)
            bag = BagWriter(writer)
            yield bag
        for name, text in bag.attached.items():
            (folder / path.name / name).write_text(text, encoding="utf-8")
        if is_local(path):
            _to_disk(folder / path.name)
            (folder / path.name).rename(path)
        else:
            put(folder / path.name, path, last="metadata.yaml")


@contextlib.contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as those of any file."""
    try:
        yield
    except sqlite3.Error as error:
        code = errno.ENOSPC if "full" in str(error) else errno.EIO
        raise OSError(code, f"{os.strerror(code)} ({error})", str(path)) from None


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder to write a bag in under its own name, since its files bear that name."""
    if not is_local(path):
        with tempfile.TemporaryDirectory() as elsewhere:
            yield Path(elsewhere)
        return
    folder = path.with_name(f".{path.name}.partial")
    remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove(folder)


def _to_disk(folder: Path) -> None:
    """A disk that is full may say so only now."""
    for file in folder.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
