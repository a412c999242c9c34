"""The web server: a fixed set of files, and one WebSocket."""

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

from hyperseg_ros.viewer.access import MAX_REASON, Access, parse_address
from hyperseg_ros.viewer.hub import Hub
from hyperseg_ros.viewer.page_connection import PageConnection
from hyperseg_ros.viewer.protocol import MAX_MESSAGE

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
ENDED = b"The viewer has ended."
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
        given = hub.parameters
        self._access = Access(given.host, given.allowed_origins, given.token)
        self._base = given.base_path
        self._cookie = f"hyperseg_viewer_{given.port}"
        self._files = {
            f"{self._base}{path.name}": (path.read_bytes(), TYPES[path.suffix])
            for path in sorted(PAGE.iterdir())
            if path.suffix in TYPES
        }
        self._files[self._base] = self._files[f"{self._base}{INDEX}"]
        application = web.Application(middlewares=[self._guard], client_max_size=MAX_MESSAGE)
        application.router.add_get(f"{self._base}pictures", self._serve_pictures)
        for path in self._files:
            application.router.add_get(path, self._serve_file)
        if self._base != "/":
            application.router.add_get(self._base[:-1], self._add_slash)
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
        given = self._hub.parameters
        host = given.host
        if host in ("", "0.0.0.0", "::"):
            host = socket.gethostname()
        elif given.local:
            address = parse_address(host)
            host = "localhost" if str(address) in ("None", "127.0.0.1", "::1") else str(address)
        query = "?token=..." if self._access.needs_token else ""
        where = f"http://{host}:{given.port}{self._base}{query}"
        if given.local:
            self._hub.logger.info(f"the viewer is at {where} (this machine only)")
        else:
            whoever = "whoever has the token" if query else "whoever reaches it"
            self._hub.logger.warning(
                f"the viewer is at {where}, and open to the network (host {given.host}): "
                f"{whoever} sees what the cameras see"
            )

    async def _end(self) -> None:
        for open_socket in list(self._sockets):
            with contextlib.suppress(asyncio.TimeoutError, ConnectionError):
                await asyncio.wait_for(
                    open_socket.close(code=WSCloseCode.GOING_AWAY, message=ENDED),
                    GRACE / 4,
                )
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._runner.cleanup(), GRACE)

    # Requests

    @web.middleware  # type: ignore[untyped-decorator, unused-ignore]
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._heard.add(request.protocol)
        reason = self._access.refuse_host(request.host)
        if reason:
            return web.Response(status=403, text=f"{reason}\n", headers=HEADERS)
        if not self._access.accepts_token(
            [request.query.get("token"), request.cookies.get(self._cookie)]
        ):
            reason = "This viewer asks for a token: open its address with ?token=... at the end."
            return web.Response(status=401, text=f"{reason}\n", headers=HEADERS)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(HEADERS)
            raise
        return response

    async def _add_slash(self, request: web.Request) -> web.Response:
        name = self._base.rstrip("/").rpartition("/")[2]
        query = request.rel_url.raw_query_string
        query = f"?{query}" if query else ""
        return web.Response(status=308, headers={**HEADERS, "Location": f"{name}/{query}"})

    async def _serve_file(self, request: web.Request) -> web.Response:
        content, content_type = self._files[request.path]
        response = web.Response(
            body=content, content_type=content_type, charset="utf-8", headers=HEADERS
        )
        if self._access.needs_token and "token" in request.query:
            response.set_cookie(
                self._cookie, request.query["token"], httponly=True, samesite="Strict"
            )
        return response

    async def _serve_pictures(self, request: web.Request) -> web.StreamResponse:
        connection = web.WebSocketResponse(
            heartbeat=HEARTBEAT, max_msg_size=MAX_MESSAGE, compress=False
        )
        await connection.prepare(request)
        # A browser hides from its page why a handshake failed, but not why a connection was closed.
        reason = self._access.refuse_origin(request.headers.get("Origin"), request.host.lower())
        if reason:
            await self._refuse(connection, WSCloseCode.POLICY_VIOLATION, reason)
        elif len(self._sockets) >= self._hub.parameters.max_pages:
            reason = f"{len(self._sockets)} pages are open, which is the most (max_pages)."
            await self._refuse(connection, WSCloseCode.TRY_AGAIN_LATER, reason)
        else:
            self._sockets.add(connection)
            try:
                await PageConnection(self._hub, connection, str(request.remote)).serve()
            finally:
                self._sockets.discard(connection)
        return connection

    async def _refuse(
        self, connection: web.WebSocketResponse, code: WSCloseCode, reason: str
    ) -> None:
        self._hub.logger.warning(f"a page was refused: {reason}", throttle_duration_sec=5.0)
        with contextlib.suppress(asyncio.TimeoutError, ConnectionError):
            await asyncio.wait_for(
                connection.close(code=code, message=reason.encode()[:MAX_REASON]), GRACE
            )

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
