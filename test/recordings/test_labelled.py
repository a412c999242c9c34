from __future__ import annotations

import contextlib

import bags
import numpy as np
import pytest

from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.labelled import find_labelled
from hyperseg_ros.recordings.reading import Recording


def truth(seed, classes=11):
    return np.random.default_rng(seed).integers(0, classes, (48, 64), np.uint8)


@pytest.fixture
def opened():
    with contextlib.ExitStack() as stack:
        yield lambda path: stack.enter_context(Recording(path))


def recording(path, topic="/front/ground_truth", count=4, labelled=(0, 2), ids=truth):
    """A camera at 10 Hz; every frame of `labelled` has ids of its stamp, received later."""
    messages = bags.frames(count)
    for index in labelled:
        time = bags.START + index * bags.PERIOD
        message = bags.image(ids(index), time, "mono8")
        messages.append((topic, "sensor_msgs/msg/Image", time + 5 * bags.PERIOD, message))
    return bags.write(path, sorted(messages, key=lambda item: item[2]))


@pytest.mark.parametrize(
    ("topic", "named"),
    [("/front/ground_truth", ""), ("/front/label", ""), ("/truth", "/truth")],
)
def test_labels_find_the_images_of_their_stamps(tmp_path, opened, topic, named):
    found = find_labelled(opened(recording(tmp_path / "drive", topic)), named, 11)

    assert len(found.images) == len(found.labels) == 2
    for position, index in enumerate((0, 2)):
        rgb = bags.pixels(index)[..., ::-1]
        np.testing.assert_array_equal(found.images[position], rgb)
        np.testing.assert_array_equal(found.labels[position], truth(index))
        seconds, nanoseconds = divmod(bags.START + index * bags.PERIOD, 10**9)
        assert found.names[position] == f"/front/image_raw {seconds}.{nanoseconds:09}"


def test_void_is_unlabelled(tmp_path, opened):
    ids = np.full((48, 64), 11, np.uint8)

    found = find_labelled(opened(recording(tmp_path / "drive", ids=lambda _: ids)), "", 11)

    assert set(np.unique(found.labels[0])) == {255}


@pytest.mark.parametrize(
    ("options", "named", "said"),
    [
        ({"topic": "/other/labels"}, "", "name the topic with --label-topic"),
        ({}, "/nowhere", "has no topic /nowhere of sensor_msgs/Image; it has"),
        ({"ids": lambda _: np.full((48, 64), 40, np.uint8)}, "", "holds the class id 40"),
        ({"ids": lambda _: np.zeros((24, 32), np.uint8)}, "", "labels .* are 32 x 24"),
    ],
)
def test_labels_that_do_not_fit_are_told(tmp_path, opened, options, named, said):
    with pytest.raises(RecordingError, match=said):
        find_labelled(opened(recording(tmp_path / "drive", **options)), named, 11)


def test_frames_are_decoded_one_at_a_time_in_any_order(tmp_path, opened):
    drive = opened(recording(tmp_path / "drive", count=30, labelled=range(30)))
    frames = find_labelled(drive, "", 11)
    decoded = []
    decode = drive.decode
    drive.decode = lambda stored: decoded.append(stored.time) or decode(stored)
    for index in (17, 3, 29):
        np.testing.assert_array_equal(frames.images[index], bags.pixels(index)[..., ::-1])
        np.testing.assert_array_equal(frames.labels[index], truth(index))
    assert len(decoded) == 6
    np.testing.assert_array_equal(frames.labels[10:12][1], truth(11))
