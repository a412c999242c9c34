from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy")

from hyperseg_ros.demo.interrupt import Interrupt
from hyperseg_ros.demo.program import spin

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Executor:
    """Calls something while it waits, and notes for how long it would."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._meanwhile = meanwhile
        self.waits: list[float] = []

    def spin_once(self, timeout_sec: float) -> None:
        self.waits.append(timeout_sec)
        self._meanwhile()


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    before = [signal.getsignal(number) for number in SIGNALS]
    listening = Interrupt()
    listening.listen()
    yield listening
    for number, former in zip(SIGNALS, before, strict=True):
        signal.signal(number, former)


def test_a_signal_ends_a_wait_after_what_is_handled_in_it(interrupt: Interrupt) -> None:
    done = []

    def handle() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("a frame")

    with pytest.raises(KeyboardInterrupt):
        spin(Executor(handle), 0.1, interrupt)
    assert done == ["a frame"]


def test_a_wait_is_cut_short_so_that_a_signal_is_heard(interrupt: Interrupt) -> None:
    executor = Executor()
    for seconds in (-1.0, 0.05, 100.0):
        spin(executor, seconds, interrupt)
    assert executor.waits == [0.0, 0.05, 0.1]
