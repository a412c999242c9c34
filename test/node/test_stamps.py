from __future__ import annotations

import pytest
from std_msgs.msg import Header

from hyperseg_ros.node.stamps import Stamps


def header(seconds: int, nanoseconds: int = 0) -> Header:
    made = Header()
    made.stamp.sec, made.stamp.nanosec = seconds, nanoseconds
    return made


@pytest.fixture
def stamps() -> Stamps:
    return Stamps("/front/image_raw", lambda: 10_000_000_000)


def test_stamps_that_go_on_are_fine(stamps):
    assert [stamps.objection(header(seconds)) for seconds in (7, 8, 8, 9)] == [""] * 4


@pytest.mark.parametrize(
    ("bad", "reason"), [(header(0), "have no stamp"), (header(-3), "a stamp below zero, -3.000 s")]
)
def test_an_image_without_a_time_is_reported(stamps, bad, reason):
    assert reason in stamps.objection(bad)
    assert stamps.age_ms(bad) is None


def test_stamps_that_run_backwards_are_reported_once(stamps):
    assert stamps.objection(header(9)) == ""
    assert "run backwards, by 2.500 s" in stamps.objection(header(6, 500_000_000))
    assert stamps.objection(header(7)) == ""


def test_after_a_jump_of_the_clock_any_stamp_is_fine(stamps):
    stamps.objection(header(9))
    stamps.forget()
    assert stamps.objection(header(1)) == ""


def test_the_age_is_from_the_stamp_until_now(stamps):
    assert stamps.age_ms(header(9, 750_000_000)) == 250.0
    assert Stamps("/t", lambda: 0).age_ms(header(9)) is None  # the simulation has no time yet
