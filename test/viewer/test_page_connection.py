from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from aiohttp import WSMsgType

from hyperseg_ros.viewer.page_connection import MAX_INVALID, PageConnection


class Socket:
    """A connection to a page that sends invalid messages and takes nothing."""

    def __init__(self, messages):
        self._left = messages
        self._writes = 0
        self.sends_text = asyncio.Event()
        self.has_sent_all = asyncio.Event()
        self.closed = None

    def __aiter__(self):
        return self

    async def __anext__(self):
        await self.sends_text.wait()  # the writer is at work from here on
        if not self._left:
            self.has_sent_all.set()
            await asyncio.Event().wait()
        self._left -= 1
        return SimpleNamespace(type=WSMsgType.TEXT, data="nonsense")

    async def send_str(self, text):
        self._writes += 1
        self.sends_text.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # a write does not end at once when it is cancelled
            self._writes -= 1

    async def close(self, *, code, message):
        self.closed = self.closed or (code, message, self._writes)

    def exception(self):
        return None


class Hub:
    """Cameras of which there is no picture."""

    state = "{}"
    parameters = SimpleNamespace(local=True, max_rate=30.0)

    def __init__(self):
        self.listeners, self.warnings = [], []
        self.logger = SimpleNamespace(warning=lambda text, **_: self.warnings.append(text))

    def join(self, listener):
        self.listeners.append(listener)

    def leave(self, listener):
        self.listeners.remove(listener)


async def serve(messages):
    """Whether the connection has ended when all is sent, how it was closed, and the hub."""
    hub, socket = Hub(), Socket(messages)
    serving = asyncio.create_task(PageConnection(hub, socket, "here").serve())
    sending = asyncio.create_task(socket.has_sent_all.wait())
    await asyncio.wait({serving, sending}, return_when=asyncio.FIRST_COMPLETED)
    ended = serving.done()
    for task in (serving, sending):
        task.cancel()
    await asyncio.gather(serving, sending, return_exceptions=True)
    return ended, socket.closed, hub


def test_a_connection_that_misbehaves_is_closed_with_its_reason_while_nobody_writes_to_it():
    ended, closed, hub = asyncio.run(serve(MAX_INVALID + 1))

    assert ended
    assert closed == (1008, b"too many invalid messages", 0)
    assert len(hub.warnings) == MAX_INVALID + 1
    assert hub.listeners == []


def test_a_few_invalid_messages_are_borne():
    ended, closed, hub = asyncio.run(serve(MAX_INVALID))

    assert not ended
    assert closed is None
    assert len(hub.warnings) == MAX_INVALID
