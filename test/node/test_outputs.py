from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco
from ros_graph import RELIABLE
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.frames.frame import Frame, SegmentedFrame
from hyperseg_ros.frames.messages import class_masks_fields
from hyperseg_ros.frames.outputs import OUTPUTS
from hyperseg_ros.frames.settings import FrameSettings, masks, palette
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.msg import ClassMasks
from hyperseg_ros.node.conversions import class_masks
from hyperseg_ros.node.outputs import Outputs
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.runtime import Segmentation

HEADER = Header(frame_id="camera")


def frame_of(labels: np.ndarray, confidence: np.ndarray | None = None) -> SegmentedFrame:
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (*labels.shape, 3), np.uint8)
    settings = FrameSettings(palette(CAMVID), masks(CAMVID, ("road",)))
    confidence = np.full_like(labels, 255) if confidence is None else confidence
    return SegmentedFrame(
        Frame(image, slice(None), slice(None), settings),
        Segmentation(labels, confidence, 0.0, 0.0, 0.0),
    )


@pytest.fixture
def frame() -> SegmentedFrame:
    random = np.random.default_rng(0)
    labels = random.choice(np.array([0, 3, 10, 255], np.uint8), (21, 34))
    return frame_of(labels, random.integers(0, 256, labels.shape, np.uint8))


def make(graph, classes: ClassTable = CAMVID) -> Outputs:
    endpoints = Endpoints(graph.node)
    topics = CameraTopics(graph.topic("image_raw"))
    return Outputs(graph.node, endpoints, topics, classes, OUTPUTS, ["mask/road"], RELIABLE)


def test_class_masks_say_what_the_label_image_says(frame):
    message = class_masks(HEADER, class_masks_fields(frame, CAMVID))
    assert message.header == HEADER
    assert (message.height, message.width) == (21, 34)
    assert [(mask.id, mask.name) for mask in message.masks] == [
        (0, "sky"),
        (3, "road"),
        (10, "bicyclist"),
    ]
    for mask in message.masks:
        truth = frame.labels == mask.id
        decoded = coco.decode({"size": [21, 34], "counts": mask.counts.encode()})
        assert np.array_equal(decoded, truth)
        assert mask.pixel_count == truth.sum()
        assert mask.mean_confidence == pytest.approx(frame.confidence[truth].mean() / 255)
        rows, columns = np.nonzero(truth)
        box = mask.bounding_box
        assert (box.y_offset, box.x_offset) == (rows.min(), columns.min())
        assert (box.height, box.width) == (np.ptp(rows) + 1, np.ptp(columns) + 1)


def test_only_what_is_subscribed_to_is_rendered_and_sent(graph, frame, monkeypatch):
    topics = CameraTopics(graph.topic("image_raw"))
    published = make(graph)
    for method in ("color", "draw_overlay", "labels"):
        unwanted = property(lambda _, method=method: pytest.fail(f"nobody wants {method}"))
        monkeypatch.setattr(SegmentedFrame, method, unwanted)

    assert not published.wanted
    published.publish(HEADER, frame, None)

    confidence = graph.listen(topics.output("confidence"))
    graph.wait(lambda: published.wanted, "the subscription")
    published.publish(HEADER, frame, None)
    graph.wait(lambda: confidence, "confidence")
    assert confidence[0].data.tobytes() == frame.confidence.tobytes()
    published.destroy()


def test_a_destroyed_camera_leaves_no_topics(graph):
    topics = CameraTopics(graph.topic("image_raw"))

    def advertised() -> set[str]:
        names = dict(graph.node.get_publisher_names_and_types_by_node("tester", graph.namespace))
        return {name for name in names if "/segmentation/" in name}

    before = advertised()
    published = make(graph)
    assert {topics.output(name) for name in ("label", "masks", "mask/road")} <= advertised()
    published.destroy()
    graph.wait(lambda: advertised() == before, "the topics to go")


def test_the_message_types_are_those_of_the_interface(graph):
    topics = CameraTopics(graph.topic("image_raw"))
    published = make(graph)
    types = dict(graph.node.get_publisher_names_and_types_by_node("tester", graph.namespace))
    image, masks = "sensor_msgs/msg/Image", "hyperseg_ros/msg/ClassMasks"
    compressed = "sensor_msgs/msg/CompressedImage"
    for name, kind in {
        "label": image,
        "confidence": image,
        "color": image,
        "overlay": image,
        "mask/road": image,
        "label/compressed": compressed,
        "confidence/compressed": compressed,
        "mask/road/compressed": compressed,
        "masks": masks,
        "camera_info": "sensor_msgs/msg/CameraInfo",
    }.items():
        assert types[topics.output(name)] == [kind]
    published.destroy()
    assert ClassMasks.get_fields_and_field_types()["masks"] == "sequence<hyperseg_ros/ClassMask>"
    assert Image.get_fields_and_field_types()["data"] == "sequence<uint8>"
