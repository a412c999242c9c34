"""The contract with Nav2's semantic segmentation layer, kept by a consumer that does as it does.

The layer subscribes to label, confidence and point cloud with sensor-data QoS, joins them by exact
stamp, walks through label and cloud together pixel by pixel whatever encoding and step say, and
looks classes up by the names in label_info, which it must have before the first label.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from ros_graph import Graph, image_message, pixels_of
from sensor_msgs.msg import Image, PointCloud2, PointField
from std_msgs.msg import Header

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.runtime import find_model, read_card

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "nav2.md"

LATCHED = QoSProfile(depth=5, durability=DurabilityPolicy.TRANSIENT_LOCAL)
TOPICS = {"label": Image, "confidence": Image, "cloud": PointCloud2}


def cloud_message(header: Header, height: int, width: int) -> PointCloud2:
    """A cloud whose points say where they are: x the column, y the row."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    points = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    message = PointCloud2(header=header, height=height, width=width, point_step=12)
    message.row_step = 12 * width
    message.fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate("xyz")
    ]
    message.data.frombytes(points.tobytes())
    return message


class Layer:
    """What the costmap layer makes of the topics."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._waiting: dict[tuple[int, int], dict[str, Any]] = {}
        self.observations: list[tuple[Header, dict[tuple[int, int], tuple[int, int]]]] = []
        self._subscriptions = [
            graph.node.create_subscription(
                kind,
                graph.topic("points" if name == "cloud" else f"segmentation/{name}"),
                lambda message, name=name: self._join(name, message),
                qos_profile_sensor_data,
            )
            for name, kind in TOPICS.items()
        ]

    def destroy(self) -> None:
        for subscription in self._subscriptions:
            self._graph.node.destroy_subscription(subscription)

    def _join(self, name: str, message: Any) -> None:
        stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
        found = self._waiting.setdefault(stamp, {})
        assert name not in found, f"two messages of {name} with one stamp"
        found[name] = message
        if set(found) == set(TOPICS):
            del self._waiting[stamp]
            self._observe(**found)

    def _observe(self, label: Image, confidence: Image, cloud: PointCloud2) -> None:
        points = np.frombuffer(cloud.data, np.float32).reshape(-1, 3)
        assert label.height * label.width == confidence.height * confidence.width == len(points)
        tiles = {}
        for index, (x, y, _) in enumerate(points):  # by index alone, as the layer does
            tiles[int(x), int(y)] = (label.data[index], confidence.data[index])
        self.observations.append((label.header, tiles))


def feed(graph: Graph, camera: Any, points: Any, layer: Layer, size: tuple[int, int]) -> None:
    """A frame and its cloud, and what the layer must make of them."""
    message = image_message(graph.header(), size=size)
    points.publish(cloud_message(message.header, *size))
    camera.publish(message)
    header, tiles = graph.wait(
        lambda: next((o for o in layer.observations if o[0] == message.header), None),
        "label, confidence and cloud of one stamp",
    )
    labels = graph.expected(pixels_of(message))
    assert {tile: label for tile, (label, _) in tiles.items()} == {
        (x, y): labels[y, x] for y in range(size[0]) for x in range(size[1])
    }
    assert {label for label, _ in tiles.values()} <= {*range(len(CAMVID)), UNLABELLED}
    assert header.frame_id == message.header.frame_id


def test_label_confidence_and_cloud_join_by_exact_stamp_whoever_restarts(graph):
    points = graph.node.create_publisher(PointCloud2, graph.topic("points"), 10)
    for size in ((24, 32), (30, 21)):  # the node restarts, and the camera with another size
        with graph.segmentation():
            for _ in range(2):  # the layer restarts
                layer = Layer(graph)
                camera = graph.talk(graph.topic("image_raw"))
                graph.wait(points.get_subscription_count, "the layer")
                for topic in map(graph.topic, ("segmentation/label", "segmentation/confidence")):
                    graph.wait(lambda topic=topic: graph.node.count_publishers(topic), topic)
                for _ in range(3):
                    feed(graph, camera, points, layer, size)
                assert len(layer.observations) == 3
                layer.destroy()
                graph.node.destroy_publisher(camera)


def test_encodings_steps_and_sizes_are_what_the_layer_takes_for_granted(graph):
    with graph.segmentation():
        received = {
            name: graph.listen(graph.topic(f"segmentation/{name}"), Image, qos_profile_sensor_data)
            for name in ("label", "confidence")
        }
        camera = graph.talk(graph.topic("image_raw"))
        message = image_message(graph.header(), size=(37, 51))
        camera.publish(message)
        for messages in received.values():
            output = graph.arrival(messages, message.header)
            assert (output.encoding, output.step) == ("mono8", 51)
            assert (output.height, output.width, len(output.data)) == (37, 51, 37 * 51)
            assert output.is_bigendian == 0


def test_the_names_are_there_before_the_first_label_for_early_and_late_consumers(graph):
    messages = pytest.importorskip("vision_msgs.msg")
    order: list[str] = []
    topics = (graph.topic("segmentation/label_info"), graph.topic("segmentation/label"))
    graph.node.create_subscription(
        messages.LabelInfo, topics[0], lambda _: order.append("names"), LATCHED
    )
    graph.node.create_subscription(
        Image, topics[1], lambda _: order.append("label"), qos_profile_sensor_data
    )
    with graph.segmentation():
        camera = graph.talk(graph.topic("image_raw"))
        for _ in range(2):
            camera.publish(image_message(graph.header()))
            graph.settle(0.1)
        graph.wait(lambda: "label" in order, "a label")
        assert order[0] == "names"

        late = graph.listen(topics[0], messages.LabelInfo, LATCHED)
        (info,) = graph.wait(lambda: late, "label_info for a late consumer")
        assert [(item.class_id, item.class_name) for item in info.class_map] == list(
            enumerate(CAMVID.names)
        )


def test_the_configurations_in_the_documentation_fit_node_and_model(graph, tmp_path):
    section = DOCUMENT.read_text().partition("## Semantic classes")[2]
    node_yaml, costmap_yaml = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    (tmp_path / "robot.yaml").write_text(node_yaml)
    files = ("--params-file", str(tmp_path / "robot.yaml"), "-p", "autostart:=false")
    graph.start(arguments=files)
    parameters = graph.parameters()
    (topics,) = map(CameraTopics, parameters.image_topics)
    costmap = yaml.safe_load(costmap_yaml)["local_costmap"]["local_costmap"]["ros__parameters"]
    source = costmap["semantic_layer"]["front"]
    for name, output in (
        ("segmentation_topic", "label"),
        ("confidence_topic", "confidence"),
        ("labels_topic", "label_info"),
    ):
        assert output in parameters.outputs
        assert source[name] == topics.output(output)
    listed = [name for kind in source["class_types"] for name in source[kind]["classes"]]
    assert sorted(listed) == sorted(read_card(find_model(parameters.model)).classes.names)
