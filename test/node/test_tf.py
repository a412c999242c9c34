"""Free space by the poses of a live TF tree, where tf2_ros is installed.

A wall at 7 metres is what a camera sees 1.5 m above the ground; with the image as it is, what TF
says of the camera's height decides how far the wall is.
"""

from __future__ import annotations

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header
from walled_street import HEIGHT, MOUNT, WALL, WIDTH, Street

import models

tf2_ros = pytest.importorskip("tf2_ros")
TFMessage = pytest.importorskip("tf2_msgs.msg").TFMessage

OPTICAL = (-0.5, 0.5, -0.5, 0.5)
"""From the camera's optical frame (z forward) to its body's (x forward)."""


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """A model of known answers, at the size of the images."""
    folder = tmp_path_factory.mktemp("model")
    return models.write_palette_model(folder / "palette.onnx", input_size=(HEIGHT, WIDTH))


def stamped(seconds: float) -> Header:
    header = Header()
    header.stamp.sec, header.stamp.nanosec = int(seconds), round(seconds % 1 * 1e9)
    return header


class Tree:
    """The TF of a robot whose camera goes up and down on its mast."""

    def __init__(self, graph) -> None:
        self._moving = tf2_ros.TransformBroadcaster(graph.node)
        self._still = tf2_ros.StaticTransformBroadcaster(graph.node)

    def lift(self, seconds: float, height: float) -> None:
        """Says how high the camera's body is at a time."""
        self._moving.sendTransform(transform("base_link", "mast", seconds, z=height))

    def fix(self, *transforms: TransformStamped) -> None:
        """Says what does not move."""
        self._still.sendTransform(list(transforms))


def transform(
    parent: str, child: str, seconds: float = 0, z: float = 0, turn=(0.0, 0.0, 0.0, 1.0)
) -> TransformStamped:
    message = TransformStamped(header=stamped(seconds), child_frame_id=child)
    message.header.frame_id = parent
    message.transform.translation.z = float(z)
    rotation = message.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = turn
    return message


def wall_of(scan: LaserScan) -> float:
    """Metres straight ahead to the wall."""
    angles = scan.angle_min + np.arange(len(scan.ranges)) * scan.angle_increment
    return float(np.median(np.array(scan.ranges) * np.cos(angles)))


def test_the_pose_is_that_of_the_images_stamp(graph, fine):
    graph.start(model=str(fine), free_space_range=[0.0, 30.0])
    scans = graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    street, tree = Street(graph), Tree(graph)
    tree.fix(transform("mast", "front_optical", turn=OPTICAL))

    def at(seconds: float) -> LaserScan:
        def came() -> LaserScan | None:
            for second, height in ((100, 1.5), (102, 3.0)):
                tree.lift(second, height)
            street.show(header=stamped(seconds))
            graph.settle(0.2)
            wanted = stamped(seconds).stamp
            return next((scan for scan in scans if scan.header.stamp == wanted), None)

        return graph.wait(came, f"the scan at {seconds}")

    # Half-way between two transforms, and a little behind the newest.
    assert wall_of(at(101.0)) == pytest.approx(1.5 * WALL, rel=0.02)
    assert wall_of(at(100.5)) == pytest.approx(1.25 * WALL, rel=0.02)
    assert wall_of(at(102.3)) == pytest.approx(2.0 * WALL, rel=0.02)
    assert scans[0].header.frame_id == "base_link"


def missing(tree: Tree) -> None:
    """A tree without the camera."""
    tree.lift(100, 1.5)


def old(tree: Tree) -> None:
    """A tree that has stopped 20 s before the image."""
    tree.fix(transform("mast", "front_optical", turn=OPTICAL))
    tree.lift(80, 1.5)


def loop(tree: Tree) -> None:
    """Two frames that are each other's parent."""
    tree.fix(transform("front_optical", "mast"), transform("mast", "front_optical"))


def apart(tree: Tree) -> None:
    """Two trees that nothing joins."""
    tree.fix(transform("mast", "front_optical"), transform("map", "base_link"))


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (missing, "TF does not have front_optical in base_link: "),
        (old, "the transform from front_optical to base_link is 20.00 s older than the image"),
        (loop, "TF does not have front_optical in base_link: "),
        (apart, "TF does not have front_optical in base_link: "),
    ],
)
def test_a_tree_that_does_not_say_is_told_and_labels_go_on(graph, fine, tree, reason):
    process = graph.start(model=str(fine))
    labels = graph.listen(graph.topic("segmentation/label"))
    scans = graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    street, robot = Street(graph), Tree(graph)

    def told() -> bool:
        tree(robot)
        street.show(header=stamped(100))
        graph.settle(0.2)
        return reason in process.said()

    graph.wait(told, reason)
    assert labels
    assert not scans
    assert "Traceback" not in process.said()
    _, values = graph.diagnose(graph.topic("image_raw"))
    assert int(values["frames without free space"]) > 0
    assert values["frames bad"] == "0"


def test_a_mount_is_not_broadcast_where_the_robot_places_the_camera(graph, fine):
    tree = Tree(graph)
    tree.fix(transform("mast", "front_optical", turn=OPTICAL))
    process = graph.start(
        model=str(fine), mount_broadcast=True, ground_frame="road", **{"mount.default": MOUNT}
    )
    heard: list[tuple[str, str]] = []
    graph.node.create_subscription(
        TFMessage,
        "/tf_static",
        lambda message: heard.extend(
            (each.header.frame_id, each.child_frame_id) for each in message.transforms
        ),
        QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    )
    scans = graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    street = Street(graph)
    assert wall_of(street.until(scans)) == pytest.approx(WALL, rel=0.02)
    reason = "is not broadcast: TF has front_optical in mast already"
    graph.wait(lambda: street.show() and reason in process.said(), reason)
    for _ in range(5):
        scans.clear()
        street.until(scans)
    assert set(heard) == {("mast", "front_optical")}
    assert process.said().count(reason) == 1


def test_a_mount_holds_until_tf_comes_and_is_broadcast(graph, fine):
    graph.start(
        model=str(fine), mount_broadcast=True, ground_frame="road", **{"mount.default": MOUNT}
    )
    scans = graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    street = Street(graph)
    assert wall_of(street.until(scans)) == pytest.approx(WALL, rel=0.02)
    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(buffer, graph.node, spin_thread=False)
    found = graph.wait(
        lambda: (
            street.show()
            and buffer.can_transform("road", "front_optical", Time())
            and buffer.lookup_transform("road", "front_optical", Time())
        ),
        "the broadcast mount",
    )
    assert found.transform.translation.z == MOUNT[2]
    listener.unregister()
