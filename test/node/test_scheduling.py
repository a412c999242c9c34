from __future__ import annotations

import threading
from collections import deque

import pytest

from hyperseg_ros.node import scheduling
from hyperseg_ros.node.scheduling import TurnTaker


class Source:
    """Work that leaves its name and number in a shared list when it is done."""

    def __init__(self, name: str, items: int, done: list[str], finished: threading.Event) -> None:
        self.name = name
        self.items = deque(range(items))
        self.done = done
        self.finished = finished

    def serve(self) -> bool:
        if not self.items:
            return False
        self.done.append(f"{self.name}{self.items.popleft()}")
        if len(self.done) == 9:
            self.finished.set()
        return True


def test_sources_are_served_in_turn_however_much_one_has():
    done: list[str] = []
    finished = threading.Event()
    work = {"a": 5, "b": 1, "c": 3}
    sources = [Source(name, items, done, finished) for name, items in work.items()]
    turns = TurnTaker([source.serve for source in sources])
    turns.start()
    assert done == []
    turns.notify()
    assert finished.wait(30)
    turns.stop()
    assert done == ["a0", "b0", "c0", "a1", "c1", "a2", "c2", "a3", "a4"]


def test_work_that_comes_while_another_item_is_at_work_is_done():
    begun, go_on, finished = threading.Event(), threading.Event(), threading.Event()
    waiting = deque(["first"])

    def serve() -> bool:
        if not waiting:
            return False
        if waiting.popleft() == "first":
            begun.set()
            go_on.wait(30)
        else:
            finished.set()
        return True

    turns = TurnTaker([serve])
    turns.start()
    turns.notify()
    assert begun.wait(30)
    waiting.append("second")
    turns.notify()
    go_on.set()
    assert finished.wait(30)
    turns.stop()


def test_stopping_lets_the_item_at_work_finish_and_begins_no_other():
    begun, go_on = threading.Event(), threading.Event()
    done = []

    def serve() -> bool:
        begun.set()
        go_on.wait(30)
        done.append("item")
        return True

    turns = TurnTaker([serve])
    turns.start()
    turns.notify()
    assert begun.wait(30)
    threading.Timer(0.1, go_on.set).start()
    turns.stop()
    assert done == ["item"]


def test_an_item_that_never_finishes_is_told(monkeypatch):
    monkeypatch.setattr(scheduling, "STOP_TIMEOUT", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    def serve() -> bool:
        begun.set()
        return go_on.wait(30)

    turns = TurnTaker([serve])
    turns.start()
    turns.notify()
    assert begun.wait(30)
    with pytest.raises(TimeoutError, match=r"did not finish a frame in 0\.05 s"):
        turns.stop()
    go_on.set()
