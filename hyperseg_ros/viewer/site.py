"""What is served: a fixed set of files, and one WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import WSCloseCode, web

from hyperseg_ros.viewer.hub import Hub
from hyperseg_ros.viewer.parameters import is_loopback
from hyperseg_ros.viewer.protocol import MAX_MESSAGE
from hyperseg_ros.viewer.visitor import Visitor

PAGE = Path(__file__).parent / "page"
INDEX = "index.html"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
HEADERS = {
    # The page needs nothing from elsewhere, and shows nobody else's.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
HEARTBEAT = 10.0
"""Seconds between two questions whether a page is still there."""
RETRY = 2.0
"""Seconds between two attempts to listen on a port that is taken."""
SILENT_CONNECTION = 10.0
"""Seconds in which a connection has to say what it wants."""
GRACE = 1.0
"""Seconds that connections have to end."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """The viewer's web server.

    Args:
        hub: has the pictures.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sockets: weakref.WeakSet[web.WebSocketResponse] = weakref.WeakSet()
        self._heard: set[Any] = set()
        self._files = {
            f"/{path.name}": (path.read_bytes(), TYPES[path.suffix])
            for path in sorted(PAGE.iterdir())
            if path.suffix in TYPES
        }
        self._files["/"] = self._files[f"/{INDEX}"]
        application = web.Application(middlewares=[self._guard], client_max_size=MAX_MESSAGE)
        application.router.add_get("/pictures", self._serve_pictures)
        for path in self._files:
            application.router.add_get(path, self._serve_file)
        self._runner = web.AppRunner(
            application, access_log=None, keepalive_timeout=SILENT_CONNECTION
        )
        # What it says of malformed requests is one line in our log.
        self._log_of("aiohttp.server")
        self._log_of("asyncio")

    async def run(self, stopping: asyncio.Event) -> None:
        """Serves until `stopping` is set."""
        await self._runner.setup()
        watcher = asyncio.get_running_loop().create_task(self._close_silent_connections())
        try:
            if await self._listen(stopping):
                self._say_where()
                await stopping.wait()
        finally:
            watcher.cancel()
            await self._end()

    async def _listen(self, stopping: asyncio.Event) -> bool:
        """Waits for the port, if it is taken; False if `stopping` came first."""
        host, port = self._hub.parameters.host, self._hub.parameters.port
        told = ""
        while not stopping.is_set():
            site = web.TCPSite(self._runner, host, port)
            try:
                await site.start()
            except OSError as error:
                await site.stop()
                if str(error) != told:
                    told = str(error)
                    reason = f"cannot listen on port {port} of {host}: {error.strerror}"
                    if error.errno == errno.EADDRINUSE:
                        reason = f"port {port} of {host} is in use: end the program that has it"
                    self._hub.logger.error(
                        f"{reason}, or set the parameter port; trying again every {RETRY:g} s"
                    )
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(stopping.wait(), RETRY)
            else:
                return True
        return False

    def _say_where(self) -> None:
        host, port = self._hub.parameters.host, self._hub.parameters.port
        if self._hub.parameters.local:
            self._hub.logger.info(f"the viewer is at http://localhost:{port} (this machine only)")
        else:
            name = socket.gethostname() if host in ("", "0.0.0.0", "::") else host
            self._hub.logger.warning(
                f"the viewer is at http://{name}:{port}, and open to the network (host {host}): "
                "whoever reaches it sees what the cameras see"
            )

    async def _end(self) -> None:
        for open_socket in list(self._sockets):
            with contextlib.suppress(asyncio.TimeoutError, ConnectionError):
                await asyncio.wait_for(
                    open_socket.close(code=WSCloseCode.GOING_AWAY, message=b"the viewer ends"),
                    GRACE / 4,
                )
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._runner.cleanup(), GRACE)

    # Requests

    @web.middleware  # type: ignore[untyped-decorator, unused-ignore]
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._heard.add(request.protocol)
        if self._hub.parameters.local and not _names_this_machine(request.host):
            # A page of another site, whose name was made to resolve to 127.0.0.1.
            return web.Response(status=403, text="This viewer is for http://localhost only.\n")
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(HEADERS)
            raise
        return response

    async def _serve_file(self, request: web.Request) -> web.Response:
        content, content_type = self._files[request.path]
        return web.Response(
            body=content, content_type=content_type, charset="utf-8", headers=HEADERS
        )

    async def _serve_pictures(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.host:
            return web.Response(status=403, text="Another site's page gets nothing here.\n")
        if len(self._sockets) >= self._hub.parameters.max_pages:
            return web.Response(
                status=503, text=f"{len(self._sockets)} pages are open, which is the most.\n"
            )
        connection = web.WebSocketResponse(
            heartbeat=HEARTBEAT, max_msg_size=MAX_MESSAGE, compress=False
        )
        await connection.prepare(request)
        self._sockets.add(connection)
        try:
            await Visitor(self._hub, connection, str(request.remote)).serve()
        finally:
            self._sockets.discard(connection)
        return connection

    async def _close_silent_connections(self) -> None:
        """A connection that says nothing holds a file descriptor, of which there are not many."""
        before: set[Any] = set()
        while True:
            await asyncio.sleep(SILENT_CONNECTION / 2)
            connections = set(self._runner.server.connections)
            self._heard &= connections
            for connection in (connections & before) - self._heard:
                connection.force_close()
            before = connections

    def _log_of(self, name: str) -> None:
        logger = logging.getLogger(name)
        logger.handlers = [_OneLine(self._hub.logger)]
        logger.propagate = False


class _OneLine(logging.Handler):
    """Hands log records of libraries to the node's logger."""

    def __init__(self, logger: Any) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {record.exc_info[1]!r}"
        text = text.encode("ascii", "backslashreplace").decode()
        self._logger.warning(" ".join(text.split()), throttle_duration_sec=1.0)


def _names_this_machine(host: str) -> bool:
    """Whether a Host header, with or without a port, names this machine from within."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        return bool(bracket) and is_loopback(name) and port[:1] in ("", ":")
    return is_loopback(host.rpartition(":")[0] if ":" in host else host)
