"""The WebSocket of one open page."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from aiohttp import WSCloseCode, WSMsgType, web
from sensor_msgs.msg import LaserScan

from hyperseg_ros import __version__
from hyperseg_ros.frames.pixels import ImageError
from hyperseg_ros.viewer import protocol
from hyperseg_ros.viewer.hub import Hub
from hyperseg_ros.viewer.picture import Picture

IN_FLIGHT = 2
"""Pictures that are sent before the first of them is on screen. Two hide the network's delay."""
MAX_MESSAGES = 100
"""Messages of a page in a second at most."""
MAX_INVALID = 10
"""Invalid messages of a page before its connection is closed."""
LOG_PERIOD = 5.0
"""Seconds between two log lines about invalid messages."""

# The other end went, or has not answered for a while.
_GONE = (ConnectionError, asyncio.TimeoutError)


class PageConnection:
    """Sends an open page what is newest, at the pace at which it says that it draws.

    What a page does not take is not kept for it: a slow one gets fewer pictures, all of them fresh.

    Args:
        hub: has the pictures.
        socket: the connection, prepared.
        address: of the other end, for the log.
    """

    def __init__(self, hub: Hub, socket: web.WebSocketResponse, address: str) -> None:
        self._hub = hub
        self._socket = socket
        self._address = address
        self._news = asyncio.Event()
        self._camera: str | None = None
        self._sent: deque[Picture] = deque(maxlen=IN_FLIGHT + 2)
        self._newest = 0
        self._shows_scan = False
        self._scan: LaserScan | None = None
        self._in_flight: list[int] = []
        self._due = 0.0
        self._errors: deque[str] = deque()
        self._wanted_images: deque[int] = deque()
        self._invalid = 0
        self._messages = (0, 0)

    async def serve(self) -> None:
        """Serves the page until the connection ends."""
        self._hub.join(self._news.set)
        writer = asyncio.get_running_loop().create_task(self._write())
        reader = asyncio.get_running_loop().create_task(self._read())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, writer):
                task.cancel()
            self._watch(None, False)
            self._hub.leave(self._news.set)
            for ended in await asyncio.gather(reader, writer, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, _GONE):
                    self._hub.logger.error(f"page of {self._address}: {ended!r}")
        if self._invalid > MAX_INVALID:
            # Only now: who writes to a closing socket fails, and would cut off its last words.
            await self._socket.close(
                code=WSCloseCode.POLICY_VIOLATION, message=b"too many invalid messages"
            )

    # From the page

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.ERROR:  # no message: why the connection has ended
                break
            try:
                self._limit_messages()
                if message.type is not WSMsgType.TEXT:
                    raise protocol.ProtocolError(f"not a text: {len(message.data)} bytes")
                self._handle(protocol.parse_request(message.data))
            except ValueError as error:
                if not self._tolerates(error):
                    return
        end = self._socket.exception()
        if end is not None and not isinstance(end, _GONE):
            self._warn(str(end))

    def _handle(self, request: protocol.Request) -> None:
        if isinstance(request, protocol.Watch):
            self._watch(request.camera, request.scan)
        elif isinstance(request, protocol.Drawn):
            self._in_flight = [number for number in self._in_flight if number > request.frame]
        else:
            self._wanted_images.append(request.frame)
        self._news.set()

    def _watch(self, camera: str | None, scan: bool) -> None:
        before = self._camera
        if camera != before:
            if camera is not None:
                self._hub.watch(camera)
            self._watch_scan(None)
            if before is not None:
                self._hub.unwatch(before)
            self._camera = camera
            self._in_flight = []
        self._watch_scan(camera if scan else None)

    def _watch_scan(self, camera: str | None) -> None:
        wanted = camera is not None
        if wanted == self._shows_scan:
            return
        self._shows_scan = wanted
        if camera is not None:
            self._hub.watch_scan(camera)
        elif self._camera is not None:
            self._hub.unwatch_scan(self._camera)

    def _limit_messages(self) -> None:
        second, count = self._messages
        now = int(time.monotonic())
        self._messages = (now, count + 1 if now == second else 1)
        if self._messages[1] > MAX_MESSAGES:
            self._invalid = MAX_INVALID
            raise protocol.ProtocolError(f"more than {MAX_MESSAGES} messages a second")

    def _tolerates(self, error: ValueError) -> bool:
        """Reports an invalid message on both sides; whether the connection goes on."""
        self._invalid += 1
        self._warn(str(error))
        self._errors.append(str(error))
        self._news.set()
        return self._invalid <= MAX_INVALID

    def _warn(self, text: str) -> None:
        self._hub.logger.warning(
            f"invalid message from the page of {self._address}: {text}",
            throttle_duration_sec=LOG_PERIOD,
        )

    # To the page

    async def _write(self) -> None:
        parameters = self._hub.parameters
        await self._socket.send_str(
            protocol.hello(__version__, parameters.local, parameters.max_rate)
        )
        state = ""
        while True:
            while self._errors:
                await self._socket.send_str(protocol.error(self._errors.popleft()))
            if self._hub.state is not state:
                state = self._hub.state
                await self._socket.send_str(state)
            while self._wanted_images:
                await self._send_image(self._wanted_images.popleft())
            await self._send_scan()
            if not await self._send_picture():
                await self._news.wait()
                self._news.clear()

    async def _send_scan(self) -> None:
        scan = self._hub.latest_scan(self._camera) if self._camera and self._shows_scan else None
        if scan is not None and scan is not self._scan:
            self._scan = scan
            assert self._camera is not None
            await self._socket.send_str(protocol.scan(self._camera, scan))

    async def _send_picture(self) -> bool:
        """Sends the newest picture if the page can take it; whether there may be more to do."""
        camera = self._camera
        picture = self._hub.latest(camera) if camera is not None else None
        if picture is None or picture.number == self._newest or len(self._in_flight) >= IN_FLIGHT:
            return False
        period = 1 / self._hub.parameters.max_rate
        now = time.monotonic()
        if now < self._due:
            asyncio.get_running_loop().call_later(self._due - now, self._news.set)
            return False
        self._due = max(self._due, now - period) + period
        self._newest = picture.number
        assert camera is not None
        message = await self._hub.encode(camera, picture)
        if message is not None and camera == self._camera:
            self._sent.append(picture)
            self._in_flight.append(picture.number)
            await self._socket.send_bytes(message)
        return True

    async def _send_image(self, number: int) -> None:
        picture = next((sent for sent in self._sent if sent.number == number), None)
        try:
            if picture is None:
                raise ImageError(f"picture {number} is not here any more")
            await self._socket.send_bytes(await self._hub.encode_image(picture))
        except ImageError as error:
            await self._socket.send_str(protocol.error(str(error)))
