from __future__ import annotations

import numpy as np
import pytest

from hyperseg_ros.node.statistics import WINDOW, Statistics


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def statistics(clock) -> Statistics:
    return Statistics(clock)


def test_frames_are_counted_by_what_became_of_them(statistics):
    for name, times in (("received", 9), ("dropped", 4), ("skipped", 3), ("unwatched", 2)):
        for _ in range(times):
            getattr(statistics, name)()
    statistics.bad("broken")
    statistics.segmented(1.0, 2.0)
    statistics.lost(5)
    statistics.without("free_space")
    counts = vars(statistics.summary().counts)
    assert counts == {
        "received": 9,
        "dropped": 4,
        "skipped": 3,
        "unwatched": 2,
        "bad": 1,
        "segmented": 1,
        "lost": 5,
        "without_free_space": 1,
        "without_points": 0,
    }
    assert statistics.summary().last_error == "broken"


@pytest.mark.parametrize("seconds", [2, 60])
def test_rates_are_those_of_the_window(clock, statistics, seconds):
    for index in range(seconds * 20):
        clock.now = 1000.0 + index / 20
        statistics.received()
        if index % 2:
            statistics.segmented(5.0, 1.0)
    summary = statistics.summary()
    assert summary.input_rate == pytest.approx(20, rel=0.03)
    assert summary.output_rate == pytest.approx(10, rel=0.06)


def test_after_a_window_without_frames_there_is_no_rate(clock, statistics):
    statistics.received()
    statistics.segmented(5.0, 1.0)
    clock.now += WINDOW + 0.1
    summary = statistics.summary()
    assert (summary.input_rate, summary.output_rate) == (0, 0)
    assert summary.age_ms is None
    assert summary.silence == pytest.approx(WINDOW + 0.1)


def test_ages_are_median_percentile_and_maximum(statistics):
    ages = np.random.default_rng(0).uniform(0, 100, 77)
    for age in ages:
        statistics.segmented(float(age), 3.0)
    assert statistics.summary().age_ms == pytest.approx(
        (np.median(ages), np.percentile(ages, 95), ages.max())
    )
    assert statistics.summary().inference_ms == 3.0


def test_a_jump_of_the_clock_and_frames_without_stamp_leave_no_ages(statistics):
    statistics.segmented(5000.0, 3.0)
    statistics.forget_ages()
    statistics.segmented(None, 3.0)
    assert statistics.summary().age_ms is None
    assert statistics.summary().counts.segmented == 2


def test_expecting_frames_anew_is_no_silence(clock, statistics):
    clock.now += 60
    statistics.subscribed()
    assert statistics.summary().silence == 0
