"""Depth and images that are joined by stamp."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hyperseg_ros.node.depth import EXPECTED, KEPT, Depth
from hyperseg_ros.node.quality_of_service import Endpoints


def at(seconds: float) -> Header:
    header = Header()
    header.stamp.sec, header.stamp.nanosec = int(seconds), round(seconds % 1 * 1e9)
    return header


class DepthCamera:
    """Publishes depth, and what joins it."""

    def __init__(self, graph) -> None:
        self.graph = graph
        self.come = False
        topic = graph.topic("depth")
        self.depth = Depth(graph.node, Endpoints(graph.node), topic, 0.02, self._on_depth)
        self.depth.follow(wanted=True)
        self._publisher = graph.talk(topic)

    def _on_depth(self) -> None:
        self.come = True

    def send(self, *times: float) -> None:
        """Publishes depth of some times, in seconds, each when the one before has come."""
        for seconds in times:
            self.come = False
            self._publisher.publish(Image(header=at(seconds)))
            self.graph.wait(lambda: self.come, "the depth")

    def find(self, seconds: float, patient: bool = False) -> float | None:
        """The time of the depth of an image, in seconds; None where there is none."""
        found = self.depth.find(at(seconds), patient)
        return None if found is None else found.header.stamp.sec + found.header.stamp.nanosec / 1e9


@pytest.fixture
def camera(graph, monkeypatch) -> Iterator[DepthCamera]:
    monkeypatch.setattr("hyperseg_ros.node.depth.SILENCE", math.inf)
    made = DepthCamera(graph)
    yield made
    made.depth.close()


def test_the_nearest_depth_within_the_tolerance_is_an_image_s(camera):
    assert camera.find(5.0) is None
    assert "nothing has come on" in camera.depth.missing(at(5.0))
    camera.send(5.0, 5.03)
    assert [camera.find(time) for time in (5.0, 5.01, 5.02, 5.05)] == [5.0, 5.0, 5.03, 5.03]
    assert camera.find(5.06) is None
    assert "is 0.030 s from the image" in camera.depth.missing(at(5.06))


def test_depth_from_before_an_image_waits_for_a_nearer_one(camera):
    camera.send(5.0)
    assert camera.find(5.015, patient=True) is None
    assert camera.find(5.015) == 5.0  # what there is, where the wait is over
    camera.send(5.02)
    assert camera.find(5.015, patient=True) == 5.02
    assert camera.find(5.009, patient=True) == 5.0  # those to come are farther away
    assert camera.find(5.02, patient=True) == 5.02  # exact
    assert camera.find(5.021, patient=True) is None
    camera.send(5.06)
    assert camera.find(5.021, patient=True) == 5.02


def test_depth_that_is_too_far_apart_for_a_nearer_one_is_taken_at_once(camera):
    camera.send(*(5.0 + 0.03 * number for number in range(KEPT)))
    last = 5.0 + 0.03 * (KEPT - 1)
    assert camera.find(last + 0.014, patient=True) == pytest.approx(last)
    assert camera.find(last + 0.016, patient=True) is None
    camera.send(last + 0.03)
    assert camera.find(last + 0.016, patient=True) == pytest.approx(last + 0.03)


def test_where_no_depth_comes_any_more_none_is_waited_for(camera, monkeypatch):
    camera.send(5.0)
    assert camera.find(5.01, patient=True) is None
    monkeypatch.setattr("hyperseg_ros.node.depth.SILENCE", -1.0)
    assert camera.find(5.01, patient=True) == 5.0


def test_the_depth_of_an_expected_image_is_kept_however_much_comes(camera):
    camera.send(4.0, 5.0)
    camera.depth.expect(at(5.0))
    camera.depth.expect(at(6.0))
    camera.send(5.99, 6.0, 6.01, *range(7, 7 + KEPT + 4))
    assert [camera.find(time) for time in (4.0, 5.0, 6.0, 7.0)] == [None, 5.0, 6.0, None]


def test_only_so_many_images_keep_their_depth(camera):
    times = range(5, 5 + EXPECTED + 1)
    for time in times:
        camera.depth.expect(at(time))
    camera.send(*times, *range(100, 100 + KEPT))
    assert [camera.find(time) for time in times] == [None, *times[1:]]


def test_an_image_that_is_done_keeps_its_depth_no_longer(camera):
    camera.depth.expect(at(5.0))
    camera.depth.expect(at(6.0))
    camera.send(5.0, 6.0)
    camera.depth.forget(at(5.0))
    camera.depth.forget(at(7.0))
    camera.send(*range(100, 100 + KEPT))
    assert [camera.find(time) for time in (5.0, 6.0)] == [None, 6.0]


def test_no_image_is_expected_in_a_pause(camera):
    camera.depth.close()
    camera.depth.expect(at(5.0))
    camera.depth.follow(wanted=True)
    camera.send(5.0, *range(100, 100 + KEPT))
    assert camera.find(5.0) is None


def test_depth_from_before_a_pause_is_forgotten(camera):
    camera.depth.expect(at(5.0))
    camera.send(5.0)
    camera.depth.close()
    assert camera.find(5.0) is None
