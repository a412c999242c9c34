from __future__ import annotations

import pytest
from std_msgs.msg import Header

from hyperseg_ros.node.stamps import Stamps
from hyperseg_ros.node.throttled_log import ThrottledLog


def header(seconds: int, nanoseconds: int = 0) -> Header:
    made = Header()
    made.stamp.sec, made.stamp.nanosec = seconds, nanoseconds
    return made


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def stamps(log) -> Stamps:
    return Stamps("/front/image_raw", lambda: 10_000_000_000, ThrottledLog(log))


def test_stamps_that_go_on_are_fine(stamps, log):
    for seconds in (7, 8, 8, 9):
        stamps.check(header(seconds))
    assert log.lines == []


@pytest.mark.parametrize(
    ("bad", "reason"), [(header(0), "have no stamp"), (header(-3), "a stamp below zero, -3.000 s")]
)
def test_an_image_without_a_time_is_reported_once_in_a_while(stamps, log, bad, reason):
    for _ in range(5):
        stamps.check(bad)
    (line,) = log.lines
    assert reason in line
    assert stamps.age_ms(bad) is None


def test_each_trouble_has_its_line(stamps, log):
    for bad in (header(9), header(6, 500_000_000), header(0), header(7)):
        stamps.check(bad)
    backwards, none = log.lines
    assert "run backwards, by 2.500 s" in backwards
    assert "have no stamp" in none


def test_after_a_jump_of_the_clock_any_stamp_is_fine(stamps, log):
    stamps.check(header(9))
    stamps.forget()
    stamps.check(header(1))
    assert log.lines == []


def test_the_age_is_from_the_stamp_until_now(stamps, log):
    assert stamps.age_ms(header(9, 750_000_000)) == 250.0
    early = Stamps("/t", lambda: 0, ThrottledLog(log))  # the simulation has no time yet
    assert early.age_ms(header(9)) is None
