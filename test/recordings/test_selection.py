from __future__ import annotations

import itertools

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.recordings.selection import (
    Candidate,
    Steadiness,
    class_shares,
    look_of,
    scores,
    select,
)

SECOND = 10**9


def candidate(
    time=0.0, uncertainty=0.1, disagreement=0.0, shares=(1.0, 0.0), look=(0.0,), camera=0
):
    return Candidate(
        0,
        camera,
        round(time * SECOND),
        uncertainty,
        disagreement,
        np.array(shares, np.float32),
        np.array(look, np.float32),
    )


def texture(seed=0, size=(120, 160)):
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def test_uncertain_unsteady_and_rare_frames_come_first():
    plain = [candidate(time=10 * index) for index in range(4)]
    special = [
        candidate(time=50, uncertainty=0.6),
        candidate(time=60, disagreement=0.3),
        candidate(time=70, shares=(0.9, 0.1)),
    ]

    chosen = select(plain + special, 3, variety=0.0)

    assert sorted(chosen) == [4, 5, 6]


def test_a_frame_like_a_chosen_one_waits_for_one_with_a_look_of_its_own():
    best = candidate(time=0, uncertainty=0.9, look=(0.0, 0.0))
    twin = candidate(time=10, uncertainty=0.8, look=(0.01, 0.0))
    other = candidate(time=20, uncertainty=0.7, look=(1.0, 1.0))

    assert select([best, twin, other], 2) == [0, 2]


def test_frames_of_a_camera_are_apart_in_time_and_cameras_do_not_disturb_each_other():
    near = [candidate(time=index * 0.25, uncertainty=0.5 - 0.01 * index) for index in range(9)]
    other = candidate(time=0.1, camera=1, uncertainty=0.01)

    chosen = select([*near, other], 20, apart=1.0)

    times = sorted(near[index].time / SECOND for index in chosen if index < 9)
    assert all(b - a >= 1.0 for a, b in itertools.pairwise(times))
    assert 9 in chosen


@given(
    count=st.integers(0, 12),
    times=st.lists(st.floats(0, 100), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_selection_is_made_of_different_candidates(count, times, seed):
    random = np.random.default_rng(seed)
    found = [
        candidate(time, *random.random(2), shares=random.random(3), look=random.random(4))
        for time in times
    ]

    chosen = select(found, count, apart=0.0)

    assert len(chosen) == len(set(chosen)) == min(count, len(times))


def test_scores_are_between_0_and_1_and_equal_frames_have_equal_ones():
    found = scores([candidate(), candidate(), candidate(uncertainty=0.9)])

    assert found[0] == found[1] < found[2]
    assert 0 <= found.min() <= found.max() <= 1


def test_labels_that_move_with_the_scene_are_steady():
    wide = texture(size=(120, 200))
    stripes = np.repeat(np.arange(200, dtype=np.uint8)[None] // 20, 120, axis=0)
    steadiness = Steadiness()

    steadiness.disagreement(wide[:, 8:168], stripes[:, 8:168])
    moved = steadiness.disagreement(wide[:, 5:165], stripes[:, 5:165])

    assert moved < 0.03


def test_labels_that_flicker_on_a_still_scene_are_counted():
    image = texture()
    labels = np.zeros((120, 160), np.uint8)
    changed = labels.copy()
    changed[:60] = 1
    steadiness = Steadiness()

    assert steadiness.disagreement(image, labels) == 0.0
    assert abs(steadiness.disagreement(image, changed) - 0.5) < 0.05


def test_a_new_size_begins_anew():
    steadiness = Steadiness()
    steadiness.disagreement(texture(), np.zeros((120, 160), np.uint8))

    assert steadiness.disagreement(texture(size=(120, 90)), np.ones((120, 90), np.uint8)) == 0.0


def test_shares_and_looks():
    labels = np.zeros((10, 10), np.uint8)
    labels[:3] = 2
    labels[9] = 255

    shares = class_shares(labels, 3)

    np.testing.assert_allclose(shares, [0.6, 0.0, 0.3])
    dark, light = (look_of(np.full((60, 80, 3), v, np.uint8), shares) for v in (10, 240))
    assert np.linalg.norm(dark - light) > 3 * np.linalg.norm(
        dark - look_of(texture() // 20, shares)
    )
