from __future__ import annotations

from hyperseg_ros.demo.pace import PATIENCE, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def paced(latency: float = 0.2, frames: int = 5) -> tuple[Pace, Clock]:
    """A pace that knows a latency."""
    clock = Clock()
    pace = Pace(clock)
    for stamp in range(frames):
        assert pace.may_go_on()
        pace.published(stamp)
        assert not pace.may_go_on()
        clock.now += latency
        pace.answered(stamp)
    return pace, clock


def test_the_next_frame_waits_for_the_labels_of_the_one_before() -> None:
    pace, clock = paced()
    pace.published(10)
    clock.now += 0.35
    assert not pace.may_go_on()
    pace.answered(10)
    assert pace.may_go_on()


def test_while_labels_are_late_one_more_frame_is_published() -> None:
    pace, clock = paced()
    pace.published(10)
    clock.now += 0.45
    assert pace.may_go_on()
    pace.published(11)
    clock.now += 0.45
    assert not pace.may_go_on()
    pace.answered(11)  # those of the first are lost
    assert pace.may_go_on()


def test_labels_that_never_come_are_given_up() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.published(1)
    clock.now += PATIENCE - 0.1
    assert not pace.may_go_on()
    clock.now += 0.2
    assert pace.may_go_on()


def test_a_quick_node_is_not_hurried() -> None:
    pace, clock = paced(latency=0.001)
    pace.published(10)
    clock.now += 0.09
    assert not pace.may_go_on()


def test_labels_of_unknown_frames_change_nothing() -> None:
    pace, _ = paced()
    pace.published(10)
    pace.answered(3)
    assert not pace.may_go_on()
