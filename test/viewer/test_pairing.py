from __future__ import annotations

import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hyperseg_ros.viewer import pairing
from hyperseg_ros.viewer.pairing import ALONE_AFTER, MAX_WAITING, Pairing


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pairs(clock: Clock) -> Pairing:
    """A camera of which the first frame has come, with its labels."""
    joined = Pairing(clock)
    joined.add_image(message(0))
    assert joined.add_label(message(0)) is not None
    return joined


def message(stamp: int, size: int = 1) -> Image:
    header = Header()
    header.stamp.nanosec = stamp
    return Image(header=header, data=bytes(size))


def stamps(pair: tuple[Image | None, Image | None] | None) -> tuple[int | None, ...] | None:
    return pair and tuple(m and m.header.stamp.nanosec for m in pair)


def test_the_first_image_is_shown_at_once(clock):
    assert stamps(Pairing(clock).add_image(message(1))) == (1, None)


def test_labels_are_shown_on_the_image_that_they_are_of(pairs):
    assert [pairs.add_image(message(stamp)) for stamp in (1, 2, 3)] == [None] * 3
    assert stamps(pairs.add_label(message(2))) == (2, 2)
    assert stamps(pairs.add_label(message(3))) == (3, 3)


def test_labels_may_come_before_their_image(pairs):
    assert pairs.add_label(message(1)) is None
    assert stamps(pairs.add_image(message(1))) == (1, 1)


def test_labels_whose_image_was_lost_are_left_out_while_images_come(pairs):
    pairs.add_image(message(1))
    assert pairs.add_label(message(2)) is None
    assert pairs.add_image(message(3)) is None
    assert stamps(pairs.add_label(message(3))) == (3, 3)


def test_images_go_on_alone_when_the_labels_stay_away(pairs, clock):
    clock.now += ALONE_AFTER
    assert stamps(pairs.add_image(message(1))) == (1, None)


def test_labels_go_on_alone_when_the_images_stay_away(pairs, clock):
    clock.now += ALONE_AFTER
    assert stamps(pairs.add_label(message(1))) == (None, 1)


def test_images_without_stamps_are_joined_too(pairs):
    for _ in range(3):
        assert pairs.add_image(message(0)) is None
        assert stamps(pairs.add_label(message(0))) == (0, 0)


def test_few_images_wait(pairs, monkeypatch):
    for stamp in range(1, MAX_WAITING + 11):
        pairs.add_image(message(stamp))
    assert pairs.add_label(message(10)) is None
    assert stamps(pairs.add_label(message(11))) == (11, 11)
    monkeypatch.setattr(pairing, "MAX_WAITING_BYTES", 1000)
    for stamp in (101, 102, 103):
        pairs.add_image(message(stamp, size=400))
    assert pairs.add_label(message(101)) is None
    assert stamps(pairs.add_label(message(102))) == (102, 102)
    pairs.add_image(message(104, size=4000))
    assert stamps(pairs.add_label(message(104))) == (104, 104)
