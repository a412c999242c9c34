from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from hyperseg_ros.demo.interrupt import Interrupt

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    before = [signal.getsignal(number) for number in SIGNALS]
    listening = Interrupt()
    listening.listen()
    yield listening
    for number, former in zip(SIGNALS, before, strict=True):
        signal.signal(number, former)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_until_the_program_is_ready(
    interrupt: Interrupt, number: signal.Signals
) -> None:
    interrupt.raise_pending()
    signal.raise_signal(number)
    with pytest.raises(KeyboardInterrupt):
        interrupt.raise_pending()


@pytest.mark.parametrize("further", SIGNALS)
def test_what_comes_after_the_first_breaks_off_nothing(
    interrupt: Interrupt, further: signal.Signals
) -> None:
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(further)
    with pytest.raises(KeyboardInterrupt):
        interrupt.raise_pending()
    signal.raise_signal(further)
    interrupt.raise_pending()


def test_a_program_that_ends_is_not_disturbed(interrupt: Interrupt) -> None:
    interrupt.ignore()
    for number in SIGNALS:
        signal.raise_signal(number)
    interrupt.raise_pending()
