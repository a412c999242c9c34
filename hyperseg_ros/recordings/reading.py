"""A recording: rosbag2 (mcap, sqlite3; split; compressed) or ROS 1, read with `rosbags`."""

from __future__ import annotations

import contextlib
import functools
import heapq
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags import rosbag1, rosbag2
from rosbags.interfaces import Connection
from rosbags.typesys import Stores, get_typestore

from hyperseg_ros.recordings.errors import RecordingError, one_line
from hyperseg_ros.recordings.places import STORAGE_SUFFIXES
from hyperseg_ros.recordings.salvage import SalvagedMcap, SalvagedSqlite, lacks_its_end


@dataclass(frozen=True)
class Topic:
    """A topic of a recording."""

    name: str
    type: str
    """Such as sensor_msgs/msg/Image, for ROS 1 too."""
    messages: int


@dataclass(frozen=True)
class Stored:
    """A message as a recording holds it."""

    connection: Connection
    time: int
    """When it was received, nanoseconds."""
    data: bytes
    """Serialized."""


class Recording:
    """An open recording. Use as a context manager.

    Args:
        path: a rosbag2 folder, one of its storage files (.mcap, .db3), or a ROS 1 .bag.

    Attributes:
        path: as given.
        name: of the recording, without folder and suffix.
        damage: why the recording is not whole, a sentence; empty where it is. Reading may find
            further damage.

    Raises:
        RecordingError: there is no recording, or nothing in it can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem if path.suffix in (*STORAGE_SUFFIXES, ".bag") else path.name
        self.damage = ""
        self._open = contextlib.ExitStack()
        self.ros1 = path.suffix == ".bag"
        try:
            with _explained(path):
                self._readers = self._open_readers()
        except BaseException:
            self._open.close()
            raise
        self.connections: list[Connection] = [
            connection for reader in self._readers for connection in reader.connections
        ]

    def _open_readers(self) -> list[Any]:
        path = self.path
        if not path.exists():
            raise RecordingError(f"there is no recording {path}")
        if self.ros1:
            return [self._open.enter_context(rosbag1.Reader(path))]
        if not path.is_dir():
            if path.suffix not in STORAGE_SUFFIXES:
                raise RecordingError(
                    f"{path} is not a recording: a rosbag2 folder, .mcap, .db3 or .bag is one"
                )
            return [self._open_file(path)]
        if (path / "metadata.yaml").is_file():
            try:
                return [self._open.enter_context(rosbag2.Reader(path))]
            except rosbag2.ReaderError as error:
                self.damage = f"its metadata.yaml does not fit its files ({error})"
        else:
            self.damage = (
                "it has no metadata.yaml: it is still being recorded, or its recorder was killed"
            )
        files = sorted(
            (file for file in path.iterdir() if file.suffix in STORAGE_SUFFIXES), key=_natural_order
        )
        if not files:
            raise RecordingError(
                f"{path} is not a recording: it holds no .mcap or .db3 file, and {self.damage}"
            )
        return [self._open_file(file) for file in files]

    def _open_file(self, file: Path) -> Any:
        if file.suffix == ".mcap" and lacks_its_end(file):
            self.damage = f"{file.name} is cut short"
            return self._open.enter_context(contextlib.closing(SalvagedMcap(file)))
        try:
            return self._open.enter_context(rosbag2.Reader(file))
        except rosbag2.ReaderError as error:
            if file.suffix != ".db3":
                raise
            salvaged = SalvagedSqlite(file)
            self.damage = f"{file.name} is damaged ({one_line(error)})"
            return self._open.enter_context(contextlib.closing(salvaged))

    @functools.cached_property
    def topics(self) -> tuple[Topic, ...]:
        """All topics, by name."""
        counts: dict[tuple[str, str], int] = {}
        for connection in self.connections:
            key = connection.topic, connection.msgtype
            counts[key] = counts.get(key, 0) + connection.msgcount
        return tuple(Topic(*key, count) for key, count in sorted(counts.items()))

    @property
    def span(self) -> tuple[int, int]:
        """First receive time, and one after the last, nanoseconds; (0, 0) without messages."""
        readers = [reader for reader in self._readers if reader.message_count]
        if not readers:
            return 0, 0
        return (
            min(int(reader.start_time) for reader in readers),
            max(int(reader.end_time) for reader in readers),
        )

    def messages(
        self,
        topics: Collection[str] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[Stored]:
        """Messages in the order in which they were received, as far as they can be read.

        Where the recording turns out to be damaged they end, and `damage` says why.

        Args:
            topics: names; None for all.
            start, stop: receive times, nanoseconds, from the first up to, not including, the last.
        """
        streams = [self._stream(reader, topics, start, stop) for reader in self._readers]
        yield from heapq.merge(*streams, key=lambda stored: stored.time)

    def _stream(
        self, reader: Any, topics: Collection[str] | None, start: int | None, stop: int | None
    ) -> Iterator[Stored]:
        wanted = [c for c in reader.connections if topics is None or c.topic in topics]
        if not wanted:
            return
        try:
            for connection, time, data in reader.messages(wanted, start=start, stop=stop):
                yield Stored(connection, int(time), data)
        except Exception as error:  # of rosbags, zstd, lz4 and sqlite: they share no base
            if isinstance(error, (MemoryError, OSError)):  # the recording may be whole
                raise
            self.damage = self.damage or f"it cannot be read to its end ({one_line(error)})"

    def decode(self, stored: Stored) -> Any:
        """The message, with the fields of its ROS type; arrays are NumPy's.

        Raises:
            RecordingError: the bytes are no such message.
        """
        kind = stored.connection.msgtype
        try:
            if self.ros1:
                return _ros1().deserialize_ros1(stored.data, kind)
            return _ros2().deserialize_cdr(stored.data, kind)
        except Exception as error:
            raise RecordingError(f"the message is no {kind}: {one_line(error)}") from None

    def close(self) -> None:
        """Closes the files."""
        self._open.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@functools.cache
def _ros2() -> Any:
    # The fields of camera messages have not changed since ROS 2 Foxy.
    return get_typestore(Stores.ROS2_HUMBLE)


@functools.cache
def _ros1() -> Any:
    return get_typestore(Stores.ROS1_NOETIC)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of the libraries as one `RecordingError`."""
    try:
        yield
    except (RecordingError, MemoryError):
        raise
    except PermissionError as error:
        raise RecordingError(f"cannot read {error.filename or path}: {error.strerror}") from None
    except Exception as error:
        hint = ""
        if path.suffix == ".bag" and "index" in str(error).lower():
            hint = "; it was cut short or is still being recorded: run `rosbag reindex` on it first"
        raise RecordingError(f"cannot read {path}: {one_line(error)}{hint}") from None


def _natural_order(file: Path) -> list[tuple[int, int, str]]:
    """bag_2 before bag_10."""
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part)
        for part in re.split(r"(\d+)", file.name)
    ]
