from __future__ import annotations

import dataclasses

import pytest

from hyperseg_ros.node.diagnostics import ERROR, STALE, WARN, Limits, judge
from hyperseg_ros.node.statistics import Counts, Summary

LIMITS = Limits(stale_after=2.0, min_rate=8.0, max_latency=0.1)
WELL = Summary(
    counts=Counts(received=100, segmented=90, bad=3),
    input_rate=10.0,
    output_rate=9.0,
    silence=0.1,
    age_ms=(50.0, 80.0, 99.0),
    inference_ms=30.0,
    last_error="bad image: no pixels",
)


def later(**changes: object) -> Summary:
    return dataclasses.replace(WELL, **changes)


def test_a_camera_that_keeps_its_limits_is_well():
    assert judge(WELL, WELL, LIMITS, watched=True) == []


@pytest.mark.parametrize(
    ("now", "level", "message"),
    [
        (later(silence=2.1), STALE, "no image for 2.1 s"),
        (later(silence=2.1, counts=Counts()), STALE, "no image yet for 2.1 s"),
        (later(output_rate=7.9), WARN, "7.9 outputs a second, fewer than 8"),
        (later(age_ms=(50.0, 101.0, 200.0)), WARN, "101 ms from stamp to output, more than 100 ms"),
        (later(age_ms=(-50.0, 10.0, 20.0)), WARN, "stamps are in the future"),
        (
            later(counts=Counts(received=105, segmented=93, bad=5)),
            WARN,
            "2 bad frames: bad image: no pixels",
        ),
        (later(counts=Counts(received=102, segmented=90, bad=5)), ERROR, "2 bad frames"),
    ],
)
def test_each_trouble_has_its_level_and_its_words(now, level, message):
    ((found, words),) = judge(now, WELL, LIMITS, watched=True)
    assert found == level
    assert words.startswith(message)


def test_while_nobody_subscribes_the_rate_is_that_of_the_images():
    assert judge(later(output_rate=0.0), WELL, LIMITS, watched=False) == []
    ((_, words),) = judge(later(input_rate=5.0), WELL, LIMITS, watched=False)
    assert words == "5.0 images a second, fewer than 8"


def test_without_limits_slowness_is_no_trouble():
    slow = later(output_rate=0.1, age_ms=(900.0, 990.0, 999.0))
    assert judge(slow, WELL, Limits(2.0, 0.0, 0.0), watched=True) == []
