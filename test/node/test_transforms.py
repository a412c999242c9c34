"""Poses of cameras: from TF at the image's stamp, else from the parameter mount.

tf2_ros is not on PyPI; a stand-in answers as its buffer does.
"""

from __future__ import annotations

import types
from typing import Any

import pytest
from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from hyperseg_ros.frames.ground_settings import mount
from hyperseg_ros.geometry import Pose, PoseError
from hyperseg_ros.node import transforms
from hyperseg_ros.node.throttled_log import ThrottledLog
from hyperseg_ros.node.transforms import Transforms

MOUNT = mount([1.0, 0.0, 1.5, 0.0, 0.1, 0.0])


class TransformException(Exception):  # noqa: N818 (as tf2_ros has it)
    pass


class ExtrapolationException(TransformException):
    pass


class Buffer:
    """Has transforms from 100 s to `newest`, with the time as height; none where that is None."""

    newest: float | None = 200.0

    def clear(self) -> None:
        type(self).newest = None

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        pass

    set_transform_static = set_transform

    def lookup_transform(self, target: str, source: str, time) -> TransformStamped:
        if self.newest is None or (target, source) != ("base_link", "front_optical"):
            raise TransformException(f"frame {source} does not exist")
        seconds = time.nanoseconds / 1e9
        if seconds > self.newest or 0 < seconds < 100.0:
            raise ExtrapolationException("extrapolation into the future")
        found = TransformStamped()
        seconds = seconds or self.newest
        found.header.stamp.sec = int(seconds)
        found.header.stamp.nanosec = int(seconds % 1 * 1e9)
        found.transform.translation.z = seconds / 100
        return found


class Listener:
    alive = 0
    buffer: Any
    """Of the latest."""

    def __init__(self, buffer, node, spin_thread) -> None:
        Listener.alive += 1
        Listener.buffer = buffer

    def unregister(self) -> None:
        Listener.alive -= 1


class Broadcaster:
    """Latches its last message only, as Humble's does."""

    latched: tuple[TransformStamped, ...] = ()

    def __init__(self, node) -> None:
        self.pub_tf = node.create_publisher(TransformStamped, "/tf_static", 1)

    def sendTransform(self, transforms) -> None:  # noqa: N802 (as tf2_ros has it)
        Broadcaster.latched = transforms


@pytest.fixture
def tf2(monkeypatch) -> type[Buffer]:
    buffer = type("Buffer", (Buffer,), {})
    module = types.SimpleNamespace(
        Buffer=buffer,
        TransformListener=Listener,
        StaticTransformBroadcaster=Broadcaster,
        TransformException=TransformException,
        ExtrapolationException=ExtrapolationException,
    )
    monkeypatch.setattr(transforms, "tf2_ros", module)
    monkeypatch.setattr(transforms, "LOOK", 0.0)
    monkeypatch.setattr(Broadcaster, "latched", ())
    return buffer


@pytest.fixture
def told(monkeypatch) -> list[str]:
    """The warnings, those that are told again and again once."""
    texts: list[str] = []

    def warning(log, trouble: str, text: str, period: float = 0.0) -> None:
        if text not in texts:
            texts.append(text)

    monkeypatch.setattr(ThrottledLog, "warning", warning)
    return texts


def placed(frame: str, parent: str, z: float = 0.0) -> TransformStamped:
    """What somebody says of where a frame is."""
    message = TransformStamped(header=Header(frame_id=parent), child_frame_id=frame)
    message.transform.translation.z = z
    return message


def sent() -> list[str]:
    """The frames whose mounts are broadcast."""
    return [transform.child_frame_id for transform in Broadcaster.latched]


def at(seconds: float, frame: str = "front_optical") -> Header:
    header = Header(frame_id=frame)
    header.stamp.sec, header.stamp.nanosec = int(seconds), int(seconds % 1 * 1e9)
    return header


def test_the_pose_is_that_of_the_images_stamp(graph, tf2):
    poses = Transforms(graph.node, "base_link", {"default": MOUNT}, False)
    assert poses.pose("/front/image_raw", at(150)).height == pytest.approx(1.5)
    assert poses.pose("/front/image_raw", at(120.5)).height == pytest.approx(1.205)


def test_an_image_that_is_a_little_ahead_of_tf_takes_the_latest(graph, tf2):
    poses = Transforms(graph.node, "base_link", {}, False)
    assert poses.pose("/front/image_raw", at(200.3)).height == pytest.approx(2.0)
    with pytest.raises(PoseError, match=r"is 2\.50 s older than the image: TF has stopped"):
        poses.pose("/front/image_raw", at(202.5))
    with pytest.raises(PoseError, match=r"is 110\.00 s newer than the image"):
        poses.pose("/front/image_raw", at(90))


def test_a_stamp_below_zero_is_told(graph, tf2):
    poses = Transforms(graph.node, "base_link", {}, False)
    with pytest.raises(PoseError, match="a stamp below zero"):
        poses.pose("/front/image_raw", at(-1))


def test_a_clock_that_jumps_back_clears_tf(graph, tf2):
    poses = Transforms(graph.node, "base_link", {}, False)
    poses.pose("/front/image_raw", at(150))
    poses.clock_jumped()
    with pytest.raises(PoseError, match="TF does not have front_optical"):
        poses.pose("/front/image_raw", at(150))


def test_whoever_comes_late_gets_the_mounts_of_all_cameras_until_the_end(graph, tf2):
    poses = Transforms(graph.node, "base_link", {"default": MOUNT}, True)
    poses.listen(True)
    for frame in ("front", "rear", "front"):
        poses.pose(f"/{frame}/image_raw", at(150, frame))
    assert sent() == ["front", "rear"]
    assert Broadcaster.latched[1].transform.translation.z == 1.5
    graph.wait(lambda: graph.node.count_publishers("/tf_static"), "the broadcast")
    poses.close()
    assert Listener.alive == 0
    graph.wait(lambda: not graph.node.count_publishers("/tf_static"), "the end of the broadcast")
    assert poses.pose("/front/image_raw", at(150, "front")) == MOUNT


@pytest.mark.parametrize("kind", ["set_transform", "set_transform_static"])
def test_a_frame_that_others_place_is_not_broadcast(graph, tf2, told, kind):
    poses = Transforms(graph.node, "base_link", {"default": MOUNT}, True)
    poses.listen(True)
    getattr(Listener.buffer, kind)(placed("front", "mast"), "robot_state_publisher")
    for frame in ("front", "rear", "front"):
        assert poses.pose(f"/{frame}/image_raw", at(150, frame)) == MOUNT
    assert sent() == ["rear"]
    assert told == [
        "the mount of /front/image_raw is not broadcast: TF has front in mast already, and a frame "
        "has one parent; set mount_broadcast to false, or drop the mount of /front/image_raw"
    ]
    poses.close()


def test_tf_is_listened_to_for_a_while_before_a_mount_is_broadcast(graph, tf2, monkeypatch):
    poses = Transforms(graph.node, "base_link", {"default": MOUNT}, True)
    poses.pose("/front/image_raw", at(150))
    assert sent() == []  # not listened to yet
    monkeypatch.setattr(transforms, "LOOK", 600.0)
    poses.listen(True)
    poses.pose("/front/image_raw", at(150))
    assert sent() == []
    monkeypatch.setattr(transforms, "LOOK", 0.0)
    poses.pose("/front/image_raw", at(150))
    assert sent() == ["front_optical"]
    poses.close()


@pytest.mark.parametrize(("parent", "z"), [("mast", 0.0), ("base_link", 1.4)])
def test_whoever_places_a_broadcast_frame_later_is_told(graph, tf2, told, parent, z):
    poses = Transforms(graph.node, "base_link", {"default": MOUNT}, True)
    poses.listen(True)
    poses.pose("/front/image_raw", at(150))
    (mine,) = Broadcaster.latched
    Listener.buffer.set_transform_static(mine, "")  # a node hears itself
    poses.pose("/front/image_raw", at(150))
    assert told == []
    Listener.buffer.set_transform_static(placed("front_optical", parent, z), "")
    Listener.buffer.set_transform_static(mine, "")
    for _ in range(2):
        poses.pose("/front/image_raw", at(150))
    assert told == [
        f"TF has front_optical twice, in base_link by mount_broadcast and in {parent} by another "
        "node: set mount_broadcast to false, or drop the mount of /front/image_raw, and restart "
        "what listens to TF"
    ]
    poses.close()


def test_without_the_frame_in_tf_the_mount_holds(graph, tf2):
    poses = Transforms(graph.node, "base_link", {"/front/image_raw": MOUNT}, False)
    assert poses.pose("/front/image_raw", at(150, "other")) == MOUNT
    with pytest.raises(PoseError, match=r"TF does not have other in base_link: .* does not exist"):
        poses.pose("/rear/image_raw", at(150, "other"))


def test_a_tf_that_ends_is_told_though_the_mount_holds(graph, tf2, told):
    poses = Transforms(graph.node, "base_link", {"default": MOUNT}, False)
    tf2.newest = None
    assert poses.pose("/front/image_raw", at(150)) == MOUNT
    assert not told  # TF may not have it at all
    tf2.newest = 200.0
    assert poses.pose("/front/image_raw", at(150)).height == pytest.approx(1.5)
    assert poses.pose("/front/image_raw", at(203)) == MOUNT
    (text,) = told
    assert text.startswith("free_space of /front/image_raw goes by its mount, no longer by TF: ")
    assert "3.00 s older than the image" in text


def test_a_pause_in_listening_is_no_end_of_tf(graph, tf2, told):
    poses = Transforms(graph.node, "base_link", {"default": MOUNT}, False)
    poses.listen(True)
    assert poses.pose("/front/image_raw", at(150)).height == pytest.approx(1.5)
    poses.listen(False)
    poses.listen(True)
    assert poses.pose("/front/image_raw", at(300)) == MOUNT  # the buffer ends at 200 s
    assert not told
    tf2.newest = 310.0
    assert poses.pose("/front/image_raw", at(301)).height == pytest.approx(3.01)
    assert poses.pose("/front/image_raw", at(320)) == MOUNT
    assert len(told) == 1
    poses.listen(False)


def test_tf_is_listened_to_only_while_it_is_wanted(graph, tf2):
    poses = Transforms(graph.node, "base_link", {}, False)
    for wanted, alive in ((False, 0), (True, 1), (True, 1), (False, 0)):
        poses.listen(wanted)
        assert Listener.alive == alive


def test_without_tf_the_mount_is_asked_for(graph, monkeypatch):
    monkeypatch.setattr(transforms, "tf2_ros", None)
    poses = Transforms(graph.node, "base_link", {"default": MOUNT}, True)
    assert poses.pose("/front/image_raw", at(150)) == MOUNT
    with pytest.raises(PoseError, match=r"set mount\.default"):
        Transforms(graph.node, "base_link", {}, False).pose("/front/image_raw", at(150))


def test_a_mount_is_six_numbers_above_the_ground():
    assert mount([0, 0, 2, 0, 0, 0]) == Pose.mounted(0, 0, 2)
    with pytest.raises(ValueError, match="x, y, z, roll, pitch, yaw"):
        mount([1, 2, 3])
    with pytest.raises(ValueError, match="below the ground"):
        mount([0, 0, -1, 0, 0, 0])
