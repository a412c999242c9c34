from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from hyperseg_ros.demo import program
from hyperseg_ros.demo.program import held_back


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """The one that programs have."""
    before = signal.signal(signal.SIGINT, program._interrupt_once)
    yield
    signal.signal(signal.SIGINT, before)


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
