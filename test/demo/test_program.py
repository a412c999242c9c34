from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

from hyperseg_ros.demo import program
from hyperseg_ros.demo.interrupt import Interrupt

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Executor:
    """Calls something while it waits, and notes for how long it would."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._meanwhile = meanwhile
        self.waits: list[float] = []

    def spin_once(self, timeout_sec: float) -> None:
        self.waits.append(timeout_sec)
        self._meanwhile()


@pytest.fixture(autouse=True)
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    listening = Interrupt()
    listening.listen()
    monkeypatch.setattr(program, "_interrupt", listening)
    yield
    for number, former in zip(SIGNALS, before, strict=True):
        signal.signal(number, former)


def waiting(executor: Executor) -> program.Program[Any]:
    """A program without the node that it is."""
    made: program.Program[Any] = program.Program.__new__(program.Program)
    made._executor = executor
    return made


def test_a_signal_ends_a_wait_after_what_is_handled_in_it() -> None:
    done = []

    def handle() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("a frame")

    with pytest.raises(KeyboardInterrupt):
        waiting(Executor(handle)).spin_for(0.1)
    assert done == ["a frame"]


def test_a_long_wait_is_a_short_one_for_a_signal_does_not_end_it() -> None:
    executor = Executor(lambda: None)
    for seconds in (-1.0, 0.05, 100.0):
        waiting(executor).spin_for(seconds)
    assert executor.waits == [0.0, 0.05, 0.1]
