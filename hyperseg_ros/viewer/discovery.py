"""What the graph says of cameras: which are segmented, and what their publishers offer."""

from __future__ import annotations

from collections.abc import Iterable

from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from hyperseg_ros.frames.messages import COMPRESSED_IMAGE, IMAGE
from hyperseg_ros.frames.topics import CameraTopics

IMAGE_TYPES: dict[str, type] = {IMAGE: Image, COMPRESSED_IMAGE: CompressedImage}
_LABEL = "/segmentation/label"


def find_cameras(node: Node) -> dict[str, str]:
    """The image topic of each camera whose labels are published, and the node that does it.

    The image topic is what that node subscribes to; while it does not (it is inactive, say), any
    image topic beside the labels.
    """
    topics = dict(node.get_topic_names_and_types())
    found: dict[str, str] = {}
    for label in topics:
        if not label.endswith(_LABEL):
            continue
        namespace = label[: -len(_LABEL)]
        for publisher in node.get_publishers_info_by_topic(label):
            subscribed = _subscribed(node, publisher.node_name, publisher.node_namespace)
            candidates = [*_images(namespace, subscribed), *_images(namespace, topics.items())]
            if candidates:
                name = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
                found[candidates[0]] = name
    return dict(sorted(found.items()))


def offer(node: Node, topic: str) -> tuple[set[str], ReliabilityPolicy]:
    """The message types that a topic's publishers send, and the best that all of them grant."""
    publishers = node.get_publishers_info_by_topic(topic)
    reliable = publishers and all(
        publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE for publisher in publishers
    )
    return (
        {publisher.topic_type for publisher in publishers},
        ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
    )


def _subscribed(node: Node, name: str, namespace: str) -> list[tuple[str, list[str]]]:
    try:
        return node.get_subscriber_names_and_types_by_node(name, namespace)
    except Exception:  # rclpy has several for a node that has just gone, not all of them public
        return []


def _images(namespace: str, topics: Iterable[tuple[str, list[str]]]) -> list[str]:
    return sorted(
        name
        for name, types in topics
        if CameraTopics(name).namespace == namespace and set(types) & set(IMAGE_TYPES)
    )
