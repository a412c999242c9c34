from __future__ import annotations

import threading
import time
from collections import deque

import pytest

from hyperseg_ros.node.scheduling import RoundRobin


class Work:
    """Sources of items, and what of them was done."""

    def __init__(self, **items: int) -> None:
        self.done: list[list[str]] = []
        self.finished = threading.Event()
        self._total = sum(items.values())
        self._waiting = {
            name: deque(f"{name}{number}" for number in range(count))
            for name, count in items.items()
        }

    def sources(self):
        return [
            lambda waiting=w: waiting.popleft() if waiting else None for w in self._waiting.values()
        ]

    def do(self, items: list[str]) -> None:
        self.done.append(items)
        if sum(map(len, self.done)) == self._total:
            self.finished.set()


def run(work: Work, batch_size: int) -> None:
    turns = RoundRobin(work.sources(), work.do, batch_size)
    turns.start()
    assert work.done == []
    turns.notify()
    assert work.finished.wait(30)
    turns.stop(30)


def test_sources_are_served_in_turn_however_much_one_has():
    work = Work(a=5, b=1, c=3)
    run(work, 1)
    order = ["a0", "b0", "c0", "a1", "c1", "a2", "c2", "a3", "a4"]
    assert work.done == [[item] for item in order]


def test_a_batch_has_one_item_of_each_source_at_most_and_the_next_goes_on_from_there():
    work = Work(a=3, b=3, c=2)
    run(work, 2)
    assert work.done == [["a0", "b0"], ["c0", "a1"], ["b1", "c1"], ["a2", "b2"]]


def test_work_that_comes_while_another_item_is_at_work_is_done():
    begun, go_on, finished = threading.Event(), threading.Event(), threading.Event()
    waiting = deque(["first"])

    def do(items: list[str]) -> None:
        if items == ["first"]:
            begun.set()
            go_on.wait(30)
        else:
            finished.set()

    turns = RoundRobin([lambda: waiting.popleft() if waiting else None], do)
    turns.start()
    turns.notify()
    assert begun.wait(30)
    waiting.append("second")
    turns.notify()
    go_on.set()
    assert finished.wait(30)
    turns.stop(30)


def blocked(source) -> tuple[RoundRobin, threading.Event, list[str]]:
    """Turns that are at work on an item of `source`, what lets it finish, and what is done."""
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def do(items: list[str]) -> None:
        begun.set()
        go_on.wait(30)
        done.extend(items)

    turns = RoundRobin([source], do)
    turns.start()
    turns.notify()
    assert begun.wait(30)
    return turns, go_on, done


def test_stopping_lets_the_item_at_work_finish_and_begins_no_other():
    turns, go_on, done = blocked(lambda: "item")
    with pytest.raises(TimeoutError):
        turns.stop(0)  # from now on it begins no other
    go_on.set()
    turns.stop(30)
    assert done == ["item"]


def test_an_item_that_never_finishes_is_told():
    turns, go_on, _ = blocked(lambda: "item")
    assert turns.busy_for > 0
    with pytest.raises(TimeoutError, match=r"has not been finished for \d+\.\d s"):
        turns.stop(0.05)
    go_on.set()


def test_there_is_no_work_at_hand_before_the_first_and_after_the_last():
    work = Work(a=1)
    turns = RoundRobin(work.sources(), work.do)
    assert turns.busy_for == 0
    turns.start()
    turns.notify()
    assert work.finished.wait(30)
    turns.stop(30)
    assert turns.busy_for == 0


def test_reading_an_item_counts_as_being_busy():
    """The watchdog is for decoding too, which a source does."""
    go_on, entered = threading.Event(), threading.Event()

    def read() -> str | None:
        entered.set()
        go_on.wait(30)
        return None

    scheduler = RoundRobin([read], lambda items: None)
    scheduler.start()
    assert scheduler.busy_for == 0
    scheduler.notify()
    assert entered.wait(30)
    time.sleep(0.01)
    assert scheduler.busy_for >= 0.01
    go_on.set()
    scheduler.stop(30)
    assert scheduler.busy_for == 0
