"""What can still be read of a storage file whose recorder or disk died.

Both classes have the interface of `rosbags.rosbag2.Reader`, as far as a recording uses it.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)

_MAGIC = b"\x89MCAP0\r\n"
_LARGEST_RECORD = 1 << 30
_OUT_OF_ORDER = 60 * 10**9
"""Nanoseconds by which messages of a file may be out of the order of their times."""
_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}


def lacks_its_end(file: Path) -> bool:
    """Whether an MCAP file begins as one and lacks its end, where the index is."""
    with file.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            return False
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - len(_MAGIC)))
        return stream.read() != _MAGIC


class Salvaged:
    """The messages of a file up to where it breaks off.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: dict[int, Connection] = {}
        counts: dict[int, int] = {}
        self.start_time = self.end_time = 0
        for number, time, _ in self._records():
            self.start_time = min(time, self.start_time) if counts else time
            self.end_time = max(time + 1, self.end_time)
            counts[number] = counts.get(number, 0) + 1
        self.message_count = sum(counts.values())
        self.connections = [
            connection._replace(msgcount=counts.get(number, 0))
            for number, connection in self._connections.items()
        ]

    def messages(
        self,
        connections: Collection[Connection],
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Connection, receive time in nanoseconds and data, in the order of the file."""
        wanted = {connection.id: connection for connection in connections}
        for number, time, data in self._records():
            if stop is not None and time >= stop + _OUT_OF_ORDER:
                return
            if number not in wanted or (start is not None and time < start):
                continue
            if stop is None or time < stop:
                yield wanted[number], time, data

    def _records(self) -> Iterator[tuple[int, int, bytes]]:
        """Connection's number, receive time and data, as far as there are any."""
        raise NotImplementedError

    def close(self) -> None:
        """Frees what the file needed."""


class SalvagedMcap(Salvaged):
    """An MCAP file without its end."""

    def _records(self) -> Iterator[tuple[int, int, bytes]]:
        schemas: dict[int, Schema] = {}
        with self._path.open("rb") as stream:
            records = iter(StreamReader(stream, record_size_limit=_LARGEST_RECORD).records)
            while True:
                try:
                    record = next(records)
                except Exception:  # where the file breaks off, in whatever library
                    return
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    self._connections.setdefault(record.id, _connection(record, schemas))
                elif isinstance(record, Message):
                    yield record.channel_id, record.log_time, record.data


class SalvagedSqlite(Salvaged):
    """An SQLite file with damaged or missing pages.

    Raises:
        sqlite3.Error: not even its topics can be read.
    """

    def __init__(self, path: Path) -> None:
        # SQLite refuses a file that is shorter than its head says; pages of zeros it can skip.
        self._folder = tempfile.TemporaryDirectory()
        self._whole = Path(self._folder.name, path.name)
        try:
            shutil.copyfile(path, self._whole)
            with self._whole.open("r+b") as file:
                head = file.read(32)
                size = int.from_bytes(head[16:18], "big") * int.from_bytes(head[28:32], "big")
                file.truncate(max(size, path.stat().st_size))
            super().__init__(path)
        except BaseException:
            self._folder.cleanup()
            raise

    def close(self) -> None:
        self._folder.cleanup()

    def _records(self) -> Iterator[tuple[int, int, bytes]]:
        with closing(sqlite3.connect(f"{self._whole.as_uri()}?mode=ro", uri=True)) as base:
            topics = base.execute("SELECT id, name, type, serialization_format FROM topics")
            for number, name, kind, encoding in topics:
                self._connections.setdefault(
                    number,
                    Connection(
                        number,
                        name,
                        kind,
                        MessageDefinition(MessageDefinitionFormat.NONE, ""),
                        "",
                        0,
                        ConnectionExtRosbag2(encoding, []),
                        None,
                    ),
                )
            # By row, since the index by time may be damaged too.
            rows = base.execute("SELECT topic_id, timestamp, data FROM messages NOT INDEXED")
            while True:
                try:
                    row = next(rows)
                except (StopIteration, sqlite3.Error):
                    return
                yield row


def _connection(channel: Channel, schemas: dict[int, Schema]) -> Connection:
    schema: Any = schemas.get(channel.schema_id)
    definition = MessageDefinition(MessageDefinitionFormat.NONE, "")
    if schema is not None:
        definition = MessageDefinition(
            _FORMATS.get(schema.encoding, MessageDefinitionFormat.NONE), schema.data.decode()
        )
    return Connection(
        channel.id,
        channel.topic,
        schema.name if schema is not None else "",
        definition,
        "",
        0,
        ConnectionExtRosbag2(channel.message_encoding, []),
        None,
    )
