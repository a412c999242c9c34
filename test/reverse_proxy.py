"""A reverse proxy as robots' web servers have one: a path of its own, and Host rewritten."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading

from node_process import PATIENCE


class ReverseProxy:
    """Hands on `path` and what is below it to `/` of a server on this machine.

    Args:
        upstream: the server's port.
        path: begins and ends with a slash.
        passes_upgrade: whether WebSockets get through.
    """

    def __init__(self, upstream: int, path: str, passes_upgrade: bool = True) -> None:
        self._upstream = upstream
        self._path = path.encode()
        self._passes_upgrade = passes_upgrade
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> ReverseProxy:
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(PATIENCE)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _serve(self, page: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await page.readuntil(b"\r\n\r\n")
            upstream, request = await asyncio.open_connection("127.0.0.1", self._upstream)
            request.write(self._rewritten(head))
            await asyncio.gather(_relay(page, request), _relay(upstream, answer))

    def _rewritten(self, head: bytes) -> bytes:
        head = head.replace(b" " + self._path, b" /", 1)
        head = re.sub(rb"(?i)\r\nHost: [^\r]*", b"\r\nHost: 127.0.0.1:%d" % self._upstream, head)
        if b"websocket" in head and self._passes_upgrade:
            return head
        return re.sub(rb"(?i)\r\n(Connection|Upgrade): [^\r]*", b"", head).replace(
            b"\r\n", b"\r\nConnection: close\r\n", 1
        )


async def _relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(65536):
            sink.write(piece)
            await sink.drain()
        sink.write_eof()
    sink.close()
