"""Free space and labelled points over DDS: a wall across a straight road at 7 metres."""

from __future__ import annotations

import math
import time

import cv2
import numpy as np
import pytest
from nav_msgs.msg import OccupancyGrid
from node_process import program
from rclpy.qos import QoSProfile
from rclpy.time import Time
from ros_graph import Graph, image_message
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, PointField
from std_msgs.msg import Header
from walled_street import FIELDS, HEIGHT, MOUNT, WALL, WIDTH, Street, wall_row

import models
from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.frames.frame import Frame, SegmentedFrame
from hyperseg_ros.frames.free_space import GroundSettings
from hyperseg_ros.frames.settings import FrameSettings
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.geometry import FreeSpaceOptions
from hyperseg_ros.geometry.grid import OCCUPIED, GridLayout
from hyperseg_ros.geometry.points import POINT
from hyperseg_ros.node.metric_outputs import MOST_WAITING, MetricOutputs, MetricSettings
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.segmentation_node import PULSE
from hyperseg_ros.node.stamps import nanoseconds
from hyperseg_ros.runtime import Segmentation


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """A model of known answers, at the size of the images."""
    folder = tmp_path_factory.mktemp("model")
    return models.write_palette_model(folder / "palette.onnx", input_size=(HEIGHT, WIDTH))


def to_depth(metres: np.ndarray, encoding: str) -> Image:
    """A depth image, of millimetres or of metres."""
    pixels = np.rint(metres * 1000).astype("<u2") if encoding == "16UC1" else metres.astype("<f4")
    height, width = pixels.shape
    return Image(
        height=height, width=width, encoding=encoding, step=pixels.strides[0], data=pixels.tobytes()
    )


def to_cloud(points: np.ndarray) -> PointCloud2:
    """An organized cloud, as depth cameras publish it: x, y, z and colour."""
    data = np.zeros((*points.shape[:2], 8), "<f4")
    data[..., :3] = points
    names = {"x": 0, "y": 4, "z": 8, "rgb": 16}
    return PointCloud2(
        height=points.shape[0],
        width=points.shape[1],
        fields=[
            PointField(name=name, offset=offset, datatype=PointField.FLOAT32, count=1)
            for name, offset in names.items()
        ],
        point_step=data.strides[1],
        row_step=data.strides[0],
        data=data.tobytes(),
    )


def test_scan_and_grid_end_at_the_wall(graph, fine):
    graph.start(model=str(fine), ground_frame="base_footprint", **{"mount.default": MOUNT})
    scans = graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    grids = graph.listen(graph.topic("segmentation/free_space/grid"), OccupancyGrid)
    scan = Street(graph).until(scans)
    assert scan.header.frame_id == "base_footprint"
    assert scan.header.stamp.sec > 0
    angles = scan.angle_min + np.arange(len(scan.ranges)) * scan.angle_increment
    assert np.median(np.array(scan.ranges) * np.cos(angles)) == pytest.approx(WALL, rel=0.02)
    assert np.median(scan.intensities) == pytest.approx(1.0, abs=0.01)

    grid = graph.wait(lambda: grids, "the grid")[0]
    assert grid.header == scan.header
    assert grid.info.map_load_time == scan.header.stamp
    cells = np.array(grid.data, np.int8).reshape(grid.info.height, grid.info.width)
    _, columns = np.nonzero(cells == OCCUPIED)
    x = grid.info.origin.position.x + (columns + 0.5) * grid.info.resolution
    assert np.abs(x - WALL).max() <= 0.3
    assert (grid.info.width, grid.info.height) == (170, 200)  # 17 x 20 m of 0.1 m


def test_a_body_mask_of_another_size_is_told(graph, fine, tmp_path):
    path = tmp_path / "body.png"
    cv2.imwrite(str(path), np.full((48, 64), 255, np.uint8))
    process = graph.start(
        model=str(fine), **{"mount.default": MOUNT, "body_masks.default": str(path)}
    )
    labels = graph.listen(graph.topic("segmentation/label"))
    graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    street = Street(graph)
    street.until(labels)
    reason = f"the body mask {path} is 64 x 48, the images have {WIDTH} x {HEIGHT}"
    graph.wait(lambda: street.show() and reason in process.said(), "the reason")
    assert "Traceback" not in process.said()


def test_a_wrong_depth_topic_does_not_keep_free_space_back(graph, fine):
    parameters = {"mount.default": MOUNT, "depth_topics./frnt/image_raw": "/depth"}
    process = graph.start(model=str(fine), **parameters)
    scans = graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    Street(graph).until(scans)
    assert "no points: depth_topics./frnt/image_raw" in process.said()


def test_a_wrong_mount_does_not_keep_points_back(graph, fine):
    topic = graph.topic("depth")
    process = graph.start(
        model=str(fine), **{"mount.default": [1.0], "depth_topics.default": topic}
    )
    clouds = graph.listen(graph.topic("segmentation/points"), PointCloud2)
    Street(graph).until(clouds, to_depth(np.full((HEIGHT, WIDTH), 2.5), "32FC1"))
    assert "no free_space: mount.default" in process.said()


def test_a_wrong_override_leaves_no_publisher_behind(graph, fine):
    grid = graph.topic("segmentation/free_space/grid")
    wrong = {f"qos_overrides.{grid}.publisher.colour": "red"}
    with graph.segmentation(model=str(fine), **{"mount.default": MOUNT, **wrong}):
        assert "no policy 'colour'" in graph.wait_for_failure()
        topics = [graph.topic(f"segmentation/{name}") for name in ("label", "free_space/scan")]
        graph.wait(lambda: not any(map(graph.node.count_publishers, topics)), "their end")


def test_a_pose_is_wanted_for_free_space_only(graph):
    topics = CameraTopics(graph.topic("image_raw"))
    ground = GroundSettings((0,), FreeSpaceOptions(), GridLayout.around(1, 1, 1, 0.1))
    settings = MetricSettings(ground, None, None, graph.topic("depth"), 0.02)
    outputs = MetricOutputs(
        graph.node, Endpoints(graph.node), topics, settings, QoSProfile(depth=1)
    )
    graph.listen(topics.output("points"), PointCloud2)
    graph.wait(lambda: outputs.wanted, "a subscriber of points")
    assert not outputs.wants_pose
    graph.listen(topics.output("free_space/grid"), OccupancyGrid)
    graph.wait(lambda: outputs.wants_pose, "a subscriber of the grid")
    outputs.destroy()


@pytest.mark.parametrize("kind", ["16UC1", "32FC1", "organized cloud"])
def test_points_are_where_the_depth_camera_sees_them(graph, fine, kind):
    graph.start(model=str(fine), **{"depth_topics.default": graph.topic("depth")})
    clouds = graph.listen(graph.topic("segmentation/points"), PointCloud2)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    z = 2.0 + 0.01 * rows + 0.001 * columns
    z[100:110, 50:60] = 0.0 if kind == "16UC1" else np.nan
    seen = z > 0
    fx, _, cx, _, fy, cy, *_ = FIELDS.k
    truth = np.stack([(columns - cx) / fx * z, (rows - cy) / fy * z, z], axis=-1)
    cloud = kind == "organized cloud"
    depth = to_cloud(truth) if cloud else to_depth(z, kind)
    points = Street(graph, info=not cloud, depth=type(depth)).until(clouds, depth)

    assert points.header.frame_id == "front_optical"
    assert [field.name for field in points.fields] == [*"xyz", "rgb", "label", "confidence"]
    assert (points.height, points.width, points.point_step) == (HEIGHT, WIDTH, 20)
    given = np.frombuffer(points.data, POINT).reshape(HEIGHT, WIDTH)
    xyz = np.stack([given[axis] for axis in "xyz"], axis=-1)
    # Millimetres are rounded.
    assert np.abs(xyz - truth)[seen].max() < (6e-4 if kind == "16UC1" else 1e-5)
    assert np.isnan(xyz[~seen]).all()
    labels = np.where(rows < wall_row(), CAMVID.index("car"), CAMVID.index("road"))
    assert (given["label"] == labels).all()
    assert (given["confidence"] == 255).all()
    red, green, blue = CAMVID.colors[CAMVID.index("road")]
    assert (given["rgb"][-1] == red << 16 | green << 8 | blue).all()


def test_depth_that_cannot_be_is_told_and_labels_go_on(graph, fine):
    process = graph.start(model=str(fine), **{"depth_topics.default": graph.topic("depth")})
    labels = graph.listen(graph.topic("segmentation/label"))
    clouds = graph.listen(graph.topic("segmentation/points"), PointCloud2)
    street = Street(graph)
    metres = np.full((HEIGHT, WIDTH), 2.5)
    wrong_type = to_depth(metres, "32FC1")
    wrong_type.encoding = "8UC1"
    without_end = to_depth(metres, "32FC1")
    without_end.data = without_end.data[:100]
    for depth, reason in (
        (None, "nothing has come on "),
        (to_depth(metres[:120], "16UC1"), "the depth image is 320 x 120, the labels have 320 x"),
        (wrong_type, "a depth image is of encoding 16UC1 or mono16 or 32FC1, not '8UC1'"),
        (without_end, "the depth image has 100 bytes; 320 x 240 32FC1 need 307200"),
        (to_depth(metres * 0, "16UC1"), "has no depth: all of it is 0 or not finite"),
        (to_depth(metres * np.nan, "32FC1"), "has no depth: all of it is 0 or not finite"),
    ):
        said = process.said().count(reason)

        def told(depth=depth, reason=reason, said=said) -> bool:
            street.show(depth)
            graph.settle(0.2)
            return process.said().count(reason) > said

        graph.wait(told, reason)
    values = graph.diagnose(graph.topic("image_raw"))[1]
    assert int(values["frames without points"]) >= 6
    assert values["frames bad"] == "0"
    assert labels
    # What is empty is published as such: a costmap that waits for clouds goes on.
    assert all(np.isnan(np.frombuffer(cloud.data, POINT)["z"]).all() for cloud in clouds)
    assert clouds


def test_a_depth_topic_of_another_type_is_told(graph, fine):
    process = graph.start(model=str(fine), **{"depth_topics.default": graph.topic("depth")})
    graph.listen(graph.topic("segmentation/points"), PointCloud2)
    street = Street(graph, depth=CameraInfo)
    reason = (
        f"nothing has come on {graph.topic('depth')} yet: its publishers send "
        "sensor_msgs/msg/CameraInfo, not sensor_msgs/msg/Image or sensor_msgs/msg/PointCloud2"
    )
    graph.wait(lambda: street.show() and reason in process.said(), "the reason")


class LateDepth:
    """Points of a camera whose depth comes when a test sends it, made in the test's process."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        topics = CameraTopics(graph.topic("image_raw"))
        settings = MetricSettings(None, None, None, graph.topic("depth"), 0.02)
        self.outputs = MetricOutputs(
            graph.node, Endpoints(graph.node), topics, settings, QoSProfile(depth=1)
        )
        self.clouds = graph.listen(topics.output("points"), PointCloud2)
        graph.wait(lambda: self.outputs.wanted, "a subscriber of points")
        self.outputs.follow()
        self.notified = 0
        self.outputs.start(self._notify)
        self.depths = graph.talk(graph.topic("depth"))

    def _notify(self) -> None:
        self.notified += 1

    def label(self) -> tuple[Header, list[str]]:
        """The header of a frame that is labelled, and why frames go without points."""
        header = self.graph.header()
        self.outputs.expect(header)
        plane = np.full((HEIGHT, WIDTH), 1, np.uint8)
        whole = slice(0, HEIGHT), slice(0, WIDTH)
        settings = FrameSettings(np.zeros((256, 3), np.uint8), {})
        frame = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8), *whole, settings)
        segmented = SegmentedFrame(frame, Segmentation(plane, plane, 0, 0, 0))
        info = CameraInfo(height=HEIGHT, width=WIDTH, k=FIELDS.k, p=FIELDS.p)
        assert self.outputs.publish(header, segmented, info) == ""
        return header, self.outputs.publish_points()

    def send(self, *headers: Header, late: float = 0.0, metres: float = 2.5) -> None:
        """Publishes the depth of frames that wait, and spins until all of it has come.

        Args:
            headers: of the frames.
            late: seconds from their stamps to those of the depth.
            metres: the depth.
        """
        expected = self.notified + len(headers)
        for header in headers:
            depth = to_depth(np.full((HEIGHT, WIDTH), metres), "16UC1")
            stamp = Time(nanoseconds=nanoseconds(header) + round(late * 1e9)).to_msg()
            depth.header = Header(stamp=stamp, frame_id=header.frame_id)
            self.depths.publish(depth)
        self.graph.wait(lambda: self.notified == expected, "the depth")

    def came(self) -> list[int]:
        """The seconds in the stamps of all clouds."""
        self.graph.settle(0.3)
        return [cloud.header.stamp.sec for cloud in self.clouds]


@pytest.fixture
def late(graph, monkeypatch):
    monkeypatch.setattr("hyperseg_ros.node.depth.SILENCE", math.inf)
    made = LateDepth(graph)
    yield made
    made.outputs.destroy()


def test_depth_that_lags_by_frames_gives_each_its_points(late):
    lag = MOST_WAITING - 1
    headers = []
    for number in range(8):
        header, missed = late.label()
        headers.append(header)
        assert missed == []
        if number >= lag:
            due = headers[number - lag]
            late.send(due)
            assert late.outputs.publish_points() == []
            late.graph.arrival(late.clouds, due)
    assert late.came() == [header.stamp.sec for header in headers[:-lag]]


def test_of_frames_whose_depth_is_there_at_once_the_newest_gets_points(late):
    headers = [late.label()[0] for _ in range(3)]
    late.send(*headers)
    assert late.outputs.publish_points() == ["the depth of a newer image has come"] * 2
    late.graph.arrival(late.clouds, headers[-1])
    assert late.outputs.publish_points() == []
    assert late.came() == [headers[-1].stamp.sec]


def test_a_waiting_frame_takes_the_nearest_depth_not_the_first(late):
    header, _ = late.label()
    late.send(header, late=-0.015, metres=1.0)
    assert late.outputs.publish_points() == []
    assert late.came() == []
    late.send(header, late=0.005, metres=2.0)
    assert late.outputs.publish_points() == []
    cloud = late.graph.arrival(late.clouds, header)
    assert (np.frombuffer(cloud.data, POINT)["z"] == 2.0).all()


def test_a_frame_that_can_wait_no_longer_takes_the_depth_that_is_there(late):
    header, _ = late.label()
    late.send(header, late=-0.015, metres=1.0)
    for _ in range(MOST_WAITING - 1):
        assert late.label()[1] == []
    assert late.came() == []
    assert late.label()[1] == []
    cloud = late.graph.arrival(late.clouds, header)
    assert (np.frombuffer(cloud.data, POINT)["z"] == 1.0).all()


def test_frames_wait_for_depth_in_bounds_and_are_given_up_once(late):
    answers = [late.label() for _ in range(MOST_WAITING + 2)]
    assert [len(missed) for _, missed in answers] == [0] * MOST_WAITING + [1, 1]
    assert "nothing has come on" in answers[-1][1][0]
    late.send(answers[2][0])
    assert late.outputs.publish_points() == []
    _, missed = late.label()
    assert missed == []
    _, missed = late.label()
    assert len(missed) == 1
    assert "1.000 s from the image" in missed[0]


def test_frames_that_wait_are_forgotten_when_the_camera_stops(late):
    header, _ = late.label()
    late.send(header)
    late.outputs.stop()
    late.outputs.follow()
    late.graph.wait(late.depths.get_subscription_count, "a subscriber of depth")
    late.depths.publish(Image(header=header))
    late.graph.settle(0.3)
    assert late.notified == 1
    assert late.outputs.publish_points() == []
    assert late.came() == []


def test_points_keep_the_depth_of_frames_only_until_they_are_done(late):
    depth = late.outputs._depth
    headers = [late.label()[0] for _ in range(3)]
    assert list(depth._expected) == [nanoseconds(header) for header in headers]
    late.send(headers[1])
    late.outputs.publish_points()  # the second has points, the first goes without
    assert list(depth._expected) == [nanoseconds(headers[2])]
    for _ in range(MOST_WAITING + 2):
        late.label()
    assert len(depth._expected) == MOST_WAITING
    late.outputs.stop()
    late.outputs.expect(headers[0])
    assert not depth._expected


def test_points_follow_as_soon_as_late_depth_comes(graph, fine):
    process = graph.start(model=str(fine), **{"depth_topics.default": graph.topic("depth")})
    labels = graph.listen(graph.topic("segmentation/label"))
    clouds = graph.listen(graph.topic("segmentation/points"), PointCloud2)
    street = Street(graph)
    depth = to_depth(np.full((HEIGHT, WIDTH), 2.5), "32FC1")
    street.until(clouds, depth)
    before = graph.settled_counts()
    headers = []
    for _ in range(MOST_WAITING + 2):
        headers.append(street.show().header)
        graph.arrival(labels, headers[-1])
    given_up, waiting = headers[:2], headers[2:]
    delays = []
    for depth.header in waiting:
        began = time.monotonic()
        street.depths.publish(depth)
        graph.arrival(clouds, depth.header)  # and no image comes
        delays.append(time.monotonic() - began)
    assert min(delays[1:]) < PULSE / 2  # not by the node's pulse
    for depth.header in given_up:
        street.depths.publish(depth)
    after = graph.settled_counts()
    assert after["segmented"] - before["segmented"] == len(headers)
    assert after["without points"] - before["without points"] == len(given_up)
    assert not any(cloud.header in given_up for cloud in clouds)
    assert "no points of" in process.said()


@pytest.mark.parametrize(
    ("parameters", "info", "reason"),
    [
        ({"mount.default": MOUNT}, None, "camera_info: metres need the camera's calibration"),
        ({}, {}, "mount.default"),  # also where TF could know
        ({"mount.default": MOUNT}, {"k": np.zeros(9)}, "camera_info is not calibrated"),
        ({"mount.default": MOUNT}, {"width": 640}, "camera_info is for 640 x 240 pixels"),
        ({"mount.default": MOUNT}, {"distortion_model": "magic"}, "magic"),
        ({"mount.default": [0.0, 0.0, 1.5, 0.0, -1.5, 0.0]}, {}, "no ground is in the camera's"),
    ],
)
def test_what_cannot_be_in_metres_is_told_and_labels_go_on(graph, fine, parameters, info, reason):
    process = graph.start(model=str(fine), **parameters)
    labels = graph.listen(graph.topic("segmentation/label"))
    scans = graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    street = Street(graph, info=info is not None)
    for name, value in (info or {}).items():
        setattr(street.info, name, value)
    street.until(labels)
    graph.wait(lambda: street.show() and reason in process.said(), "the reason")
    _, values = graph.diagnose(graph.topic("image_raw"))
    assert int(values["frames without free space"]) > 0
    assert values["frames bad"] == "0"
    assert not scans
    assert "Traceback" not in process.said()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"ground_classes": ["raod"]}, "ground_classes: no class 'raod': did you mean 'road'"),
        ({"mount.default": [1.0]}, "mount.default: a mount is"),
        ({"mount./frnt/image_raw": MOUNT}, "mount./frnt/image_raw: "),
        (
            {"mount.default": [0.0, 0.0, -1.0, 0.0, 0.0, 0.0]},
            "mount.default: the camera is at or below the ground: z is -1",
        ),
        ({"free_space_range": [5.0, 2.0]}, "free_space_range: free space is looked for"),
        ({"mount.default": MOUNT, "ground_frame": ""}, "no free_space: ground_frame is empty"),
        ({"free_space_angles": [1.0, -1.0]}, "free_space_angles: "),
        (
            {"grid_resolution": 0.01, "grid_area": [50.0, 0.0, 50.0]},
            "grid_area or grid_resolution: ",
        ),
        (
            {"mount.default": MOUNT, "body_masks.default": "/no/mask.png"},
            "no free_space: body_masks.default: there is no file /no/mask.png",
        ),
        ({"depth_topics./frnt/image_raw": "/depth"}, "no points: depth_topics./frnt/image_raw: "),
    ],
)
def test_settings_that_cannot_be_are_told_and_labels_go_on(graph, fine, parameters, reason):
    process = graph.start(model=str(fine), **parameters)
    labels = graph.listen(graph.topic("segmentation/label"))
    Street(graph).until(labels)
    assert reason in process.said()
    status, _ = graph.diagnose("model")
    assert status.level == status.WARN
    assert reason in status.message


def test_two_cameras_of_one_frame_are_told(graph, fine):
    topics = [graph.topic("image_raw"), f"{graph.namespace}/rear/image_raw"]
    process = graph.start(model=str(fine), image_topics=topics, **{"mount.default": MOUNT})
    scans = graph.listen(graph.topic("segmentation/free_space/scan"), LaserScan)
    graph.listen(f"{graph.namespace}/rear/segmentation/label")
    rear = graph.talk(topics[1])
    street = Street(graph)

    def told() -> bool:
        rear.publish(street.show())
        graph.settle(0.2)
        return "have one frame_id, front_optical" in process.said()

    graph.wait(told, "the line")
    assert scans


def test_a_model_without_ground_has_labels_only(graph, tmp_path):
    classes = ClassTable(CAMVID.names, CAMVID.colors)
    path = models.write_palette_model(tmp_path / "p.onnx", classes, input_size=(HEIGHT, WIDTH))
    process = graph.start(model=str(path))
    Street(graph).until(graph.listen(graph.topic("segmentation/label")))
    assert "no free_space: the model's card names no ground classes" in process.said()
    assert graph.diagnose("model")[0].message == "active"


def test_the_first_label_has_its_calibration_though_that_comes_later(graph):
    patient = "from hyperseg_ros.node import calibration; calibration.PATIENCE = 600.0"
    graph.start(program("hyperseg_ros.node.main", patient))
    labels = graph.listen(graph.topic("segmentation/label"))
    infos = graph.listen(graph.topic("segmentation/camera_info"), CameraInfo)
    images = graph.talk(graph.topic("image_raw"))
    calibrations_ = graph.talk(graph.topic("camera_info"), CameraInfo)
    message = image_message(graph.header())
    images.publish(message)
    calibrations_.publish(CameraInfo(header=message.header, height=48, width=64))
    graph.arrival(labels, message.header)
    graph.arrival(infos, message.header)
