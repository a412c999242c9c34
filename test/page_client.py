"""What a page does, without a browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from typing import Any

import aiohttp
import cv2
import numpy as np
from node_process import PATIENCE
from numpy.typing import NDArray

Parts = list[bytes]


held_ports: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody else is given for as long as the tests run, to listen on.

    A bound socket keeps the system from giving it away. Whoever says SO_REUSEADDR, as servers do,
    may listen on it all the same, since this socket does not.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("", 0))
    held_ports.append(holder)
    port: int = holder.getsockname()[1]
    return port


def deaf_page(port: int) -> socket.socket:
    """A WebSocket to the viewer that answers nothing by itself."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(
        b"GET /pictures HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    return connection


def decode(image: bytes, flags: int = cv2.IMREAD_UNCHANGED) -> NDArray[np.uint8]:
    """The pixels of a JPEG or PNG."""
    return cv2.imdecode(np.frombuffer(image, np.uint8), flags)


class PageClient:
    """A WebSocket to the viewer, in a thread of its own.

    Args:
        port: of the viewer.
        camera: to watch as soon as the viewer knows it.
        pace: seconds from a picture's arrival until it is said to be drawn; None for never.
        headers: of the request.
        path: of the WebSocket.
    """

    def __init__(
        self,
        port: int,
        camera: str | None = None,
        pace: float | None = 0.0,
        headers: dict[str, str] | None = None,
        path: str = "/pictures",
    ) -> None:
        self.texts: list[dict[str, Any]] = []
        self.pictures: list[tuple[dict[str, Any], Parts]] = []
        self.images: list[tuple[dict[str, Any], Parts]] = []
        self.refused: int | None = None
        self.code: int | None = None
        self._address = f"http://127.0.0.1:{port}{path}"
        self._camera = camera
        self._pace = pace
        self._headers = headers
        self._loop = asyncio.new_event_loop()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._connected = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._thread.start()
        assert self._connected.wait(PATIENCE)

    def send(self, message: Any) -> None:
        """Sends bytes or text as they are, anything else as JSON."""
        assert self._socket is not None
        if self._socket.closed:
            raise ConnectionError(
                f"the viewer has closed the connection: {self._socket.close_code}"
            )
        if isinstance(message, bytes):
            sending = self._socket.send_bytes(message)
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            sending = self._socket.send_str(text)
        asyncio.run_coroutine_threadsafe(sending, self._loop).result(PATIENCE)

    def flood(self, message: Any, count: int) -> None:
        """Sends a message many times at once, until the viewer closes the connection."""

        async def send() -> None:
            assert self._socket is not None
            with contextlib.suppress(ConnectionError):
                for _ in range(count):
                    await self._socket.send_json(message)

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(PATIENCE)

    def close(self) -> None:
        """Says goodbye."""
        if self._socket is not None and not self._socket.closed:
            closing = self._socket.close()
            asyncio.run_coroutine_threadsafe(closing, self._loop).result(PATIENCE)
        self._thread.join()

    def vanish(self) -> None:
        """Is gone, without a word."""
        assert self._socket is not None
        transport = self._socket.get_extra_info("socket")
        transport.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    @property
    def state(self) -> dict[str, Any]:
        """The newest state of the cameras."""
        states = [text for text in self.texts if text["type"] == "state"]
        return states[-1]["cameras"] if states else {}

    def notes(self, camera: str) -> str:
        """What the page says of a camera's troubles now."""
        return "\n".join(self.state.get(camera, {}).get("notes", []))

    def errors(self) -> list[str]:
        """What the viewer refused."""
        return [text["text"] for text in self.texts if text["type"] == "error"]

    def stamps(self) -> list[list[int]]:
        """Those of the pictures that came."""
        return [header["stamp"] for header, _ in self.pictures]

    def labels(self) -> list[NDArray[np.uint8]]:
        """Those of the pictures that came with labels."""
        return [decode(parts[1]) for _, parts in self.pictures if parts[1]]

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session:
            try:
                self._socket = await session.ws_connect(self._address, headers=self._headers)
            except aiohttp.WSServerHandshakeError as error:
                self.refused = error.status
                return
            finally:
                self._connected.set()
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.texts.append(json.loads(message.data))
                    await self._watch()
                elif message.type is aiohttp.WSMsgType.BINARY:
                    await self._take(message.data)
            self.code = self._socket.close_code

    async def _watch(self) -> None:
        if self._camera in self.state:
            assert self._socket is not None
            await self._socket.send_json({"type": "watch", "camera": self._camera})
            self._camera = None

    async def _take(self, data: bytes) -> None:
        (length,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + length])
        offset = 4 + length
        parts = []
        for size in header["parts"]:
            parts.append(data[offset : offset + size])
            offset += size
        assert offset == len(data)
        if header["type"] == "image":
            self.images.append((header, parts))
            return
        self.pictures.append((header, parts))
        if self._pace is not None:
            assert self._socket is not None
            await asyncio.sleep(self._pace)
            with contextlib.suppress(ConnectionError):
                await self._socket.send_json({"type": "drawn", "frame": header["frame"]})
