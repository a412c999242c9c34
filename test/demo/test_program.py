from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from hyperseg_ros.demo import program
from hyperseg_ros.demo.program import held_back


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """The one that programs have."""
    ends = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(end, program._interrupt_once) for end in ends]
    yield
    for end, former in zip(ends, before, strict=True):
        signal.signal(end, former)


def interrupted(done: list[str]) -> None:
    signal.raise_signal(signal.SIGINT)
    done.append("the rest of it")


def test_an_interrupt_waits_for_the_end_of_what_must_be_whole() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), held_back():
        interrupted(done)
    assert done == ["the rest of it"]
    with held_back():  # it has come once
        pass


def test_elsewhere_it_comes_at_once() -> None:
    done: list[str] = []
    with held_back():
        pass
    with pytest.raises(KeyboardInterrupt):
        interrupted(done)
    assert done == []


@pytest.mark.parametrize("further", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_after_the_first_breaks_off_nothing(further: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(further)
