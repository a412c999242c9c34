from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.node.rate_limiter import RateLimiter


@given(
    camera=st.floats(1, 200),
    rate=st.floats(0.5, 200),
    jitter=st.floats(0, 0.4),
    seed=st.integers(0, 9),
)
def test_of_a_camera_with_jitter_as_many_frames_are_let_through_as_the_rate_says(
    camera, rate, jitter, seed
):
    limiter = RateLimiter()
    shift = np.random.default_rng(seed).uniform(-jitter, jitter, 400)
    times = (np.arange(400) + shift) / camera
    admitted = sum(limiter.admits(now, rate) for now in times)
    expected = min(rate, camera) * 400 / camera
    # An admitted frame may come one frame late, but the next is due all the same.
    assert admitted <= rate * 400 / camera + 2
    if rate < 0.5 * camera or rate > 3 * camera:
        assert admitted == pytest.approx(expected, abs=2 + 0.02 * expected)


def test_after_a_pause_nothing_is_made_up_for():
    limiter = RateLimiter()
    assert limiter.admits(0.0, 10.0)
    assert [limiter.admits(now, 10.0) for now in (60.0, 60.01, 60.02, 60.1)] == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(("before", "after"), [(0.01, 10.0), (1000.0, 10.0), (10.0, 0.01)])
def test_a_new_rate_holds_from_now_on(before, after):
    limiter = RateLimiter()
    assert limiter.admits(100.0, before)
    assert not limiter.admits(100.0 + 0.4 / before, before)
    times = 100.0 + 1.1 / max(before, after) + np.arange(0.0, 50.0, 0.005)
    admitted = [now for now in times if limiter.admits(now, after)]
    assert len(admitted) == pytest.approx(50 * after, abs=1)
