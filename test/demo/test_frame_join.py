from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.demo.frame_join import FrameJoin

TOPICS = ("image", "label", "truth")


def test_a_frame_is_complete_with_its_last_message() -> None:
    join: FrameJoin[str] = FrameJoin(TOPICS)
    assert join.add("image", 5, "i5") is None
    assert join.add("truth", 5, "t5") is None
    assert join.add("image", 6, "i6") is None
    assert join.add("label", 5, "l5") == {"image": "i5", "truth": "t5", "label": "l5"}
    assert len(join) == 1


def test_what_is_incomplete_when_a_later_frame_completes_is_let_go() -> None:
    join: FrameJoin[int] = FrameJoin(TOPICS)
    for stamp in (1, 2, 3, 4):
        join.add("image", stamp, stamp)
        join.add("truth", stamp, stamp)
    assert join.add("label", 3, 3) is not None
    assert (len(join), join.let_go) == (1, 2)
    assert join.add("label", 2, 2) is None
    assert join.add("label", 4, 4) is not None
    assert (len(join), join.let_go) == (0, 2)


def test_waiting_frames_are_bounded() -> None:
    join: FrameJoin[int] = FrameJoin(TOPICS, capacity=3)
    for stamp in range(10):
        join.add("image", stamp, stamp)
    assert (len(join), join.let_go) == (3, 7)


def test_a_topic_that_is_not_joined() -> None:
    with pytest.raises(KeyError, match="overlay"):
        FrameJoin(TOPICS).add("overlay", 1, None)


@given(st.permutations([(topic, stamp) for topic in TOPICS for stamp in range(1, 5)]))
def test_any_interleaving_joins_only_equal_stamps_in_order(
    messages: Sequence[tuple[str, int]],
) -> None:
    join: FrameJoin[tuple[str, int]] = FrameJoin(TOPICS)
    completed = []
    for topic, stamp in messages:
        frame = join.add(topic, stamp, (topic, stamp))
        if frame is not None:
            assert frame == {name: (name, stamp) for name in TOPICS}
            completed.append(stamp)
    assert completed == sorted(set(completed))
    assert 4 in completed
