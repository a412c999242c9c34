"""MCAP files as `rosbags` writes them, byte for byte, without its copies of every message.

`rosbags` copies a message four times on its way to the file. Here a chunk is a list of buffers,
which go to the file as they are, or to the compressor.
"""

from __future__ import annotations

import functools
import struct
from collections import defaultdict
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter, PendingChunk

LEVEL = 1
"""Of zstd. Labels are long runs, which higher levels make hardly smaller in more time."""
_CHUNK = 1 << 20
"""Bytes after which a chunk is full, as in `rosbags`."""


class ChunkWriter(McapWriter):
    """What writes the file of a bag; `BagFileWriter` makes it.

    Messages are kept until their chunk is written, so nobody may change them meanwhile.
    """

    chunk: PendingChunk
    compressor: Callable[..., bytes]
    message_start_time: int
    message_end_time: int

    def __init__(self, path: Path, compression: CompressionMode) -> None:
        super().__init__(path, compression)
        self._pieces: list[bytes | memoryview] = []
        self._length = 0
        if self.compression:
            self.compressor = functools.partial(self.compressor, level=LEVEL)

    def write(self, connection: Connection, timestamp: int, data: bytes | memoryview) -> None:
        """Adds a message, received at `timestamp` in nanoseconds."""
        self._take_definitions()
        self.message_start_time = min(timestamp, self.message_start_time)
        self.message_end_time = max(timestamp, self.message_end_time)
        self.channel_stats[connection.id] += 1
        chunk = self.chunk
        chunk.message_start_time = min(timestamp, chunk.message_start_time)
        chunk.message_end_time = max(timestamp, chunk.message_end_time)
        chunk.msgs[connection.id].append((timestamp, self._length))
        record = struct.pack("<HIQQ", connection.id, 0, timestamp, timestamp)
        size = len(record) + len(data)
        self._add(struct.pack("<BQ", 0x05, size) + record)
        self._add(data)
        if self._length > _CHUNK:
            self.close_chunk()

    def _add(self, piece: bytes | memoryview) -> None:
        self._pieces.append(piece)
        self._length += len(piece)

    def _take_definitions(self) -> None:
        """What the base class has written of types and topics belongs into the chunk."""
        if self.chunk.bio.tell():
            self._add(self.chunk.bio.getvalue())
            self.chunk.bio = BytesIO()

    def close_chunk(self) -> None:
        """Writes the chunk and its index, and begins another."""
        self._take_definitions()
        chunk, pieces, length = self.chunk, self._pieces, self._length
        if self.compression:
            pieces = [self.compressor(b"".join(pieces))]
        stored = sum(map(len, pieces))
        times = struct.pack("<QQ", chunk.message_start_time, chunk.message_end_time)
        name = struct.pack("<I", len(self.compression)) + self.compression.encode()
        head = times + struct.pack("<QI", length, 0) + name + struct.pack("<Q", stored)
        start = self.bio.tell()
        self.bio.write(struct.pack("<BQ", 0x06, len(head) + stored) + head)
        self.bio.writelines(pieces)
        end = self.bio.tell()
        offsets = b""
        for channel, messages in chunk.msgs.items():
            offsets += struct.pack("<HQ", channel, self.bio.tell())
            entries = b"".join(struct.pack("<QQ", *message) for message in messages)
            index = struct.pack("<HI", channel, len(entries)) + entries
            self.bio.write(struct.pack("<BQ", 0x07, len(index)) + index)
        summary = BytesIO()
        summary.write(times + struct.pack("<QQ", start, end - start))
        summary.write(struct.pack("<I", len(offsets)) + offsets)
        summary.write(struct.pack("<Q", self.bio.tell() - end))
        summary.write(name + struct.pack("<QQ", stored, length))
        self.chunks.append(summary)
        self._pieces, self._length = [], 0
        self.chunk = PendingChunk(2**63 - 1, 0, BytesIO(), defaultdict(list))

    def close(self, version: int, metadata: str) -> None:
        """Writes what is left, and the summary."""
        if self._pieces:
            self.close_chunk()
        super().close(version, metadata)


class BagFileWriter(Writer):
    """The writer of `rosbags`, with `ChunkWriter` for MCAP."""

    STORAGE_PLUGINS: Mapping[StoragePlugin, Any] = {
        **Writer.STORAGE_PLUGINS,
        StoragePlugin.MCAP: ChunkWriter,
    }
