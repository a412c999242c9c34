"""What is published for a segmented frame, each output only while somebody subscribes to it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.msg import ClassMask, ClassMasks
from hyperseg_ros.node.compatibility import LabelInfo, VisionClass
from hyperseg_ros.node.conversions import ReusedImage, to_png
from hyperseg_ros.node.frame import SegmentedFrame
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.topics import CameraTopics
from hyperseg_ros.runtime import run_length

_LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

Draw = Callable[[SegmentedFrame], NDArray[np.uint8]]
Render = Callable[[SegmentedFrame], Any]


class Outputs:
    """The publishers of one camera.

    Args:
        node: the node that publishes.
        endpoints: creates publishers.
        topics: the names of the camera's topics.
        classes: the model's classes.
        names: what to publish, some of `parameters.OUTPUTS`.
        masks: the topics of the masks.
        qos: of all outputs but `label_info`, which is reliable and transient local.

    Raises:
        ParameterError: an override of a quality of service is none.
    """

    def __init__(
        self,
        node: Node,
        endpoints: Endpoints,
        topics: CameraTopics,
        classes: ClassTable,
        names: Collection[str],
        masks: Iterable[str],
        qos: QoSProfile,
    ) -> None:
        self._node = node
        self._classes = classes
        self._renderings: list[tuple[Publisher, Render]] = []
        self._camera_info: Publisher | None = None
        self._label_info: Publisher | None = None

        def publisher(message_type: type, name: str, profile: QoSProfile = qos) -> Publisher:
            return endpoints.publisher(message_type, topics.output(name), profile)

        try:
            for name, message_type, render in _renderers(classes, names, masks):
                self._renderings.append((publisher(message_type, name), render))
            if "camera_info" in names:
                self._camera_info = publisher(CameraInfo, "camera_info")
            if "label_info" in names and LabelInfo is not None:
                self._label_info = publisher(LabelInfo, "label_info", _LATCHED)
        except Exception:
            self.destroy()
            raise

    @property
    def wanted(self) -> bool:
        """Whether anybody subscribes to what needs the network."""
        return any(publisher.get_subscription_count() > 0 for publisher, _ in self._renderings)

    def announce(self, min_confidence: float) -> None:
        """Publishes `label_info`, which latecomers get too."""
        if self._label_info is not None:
            message = LabelInfo(
                class_map=[
                    VisionClass(class_id=index, class_name=name)
                    for index, name in enumerate(self._classes.names)
                ],
                threshold=min_confidence,
            )
            message.header.stamp = self._node.get_clock().now().to_msg()
            self._label_info.publish(message)

    def publish(self, frame: SegmentedFrame, camera_info: CameraInfo | None) -> None:
        """Renders and publishes what somebody subscribes to, all with the frame's header."""
        for publisher, render in self._renderings:
            if publisher.get_subscription_count() > 0:
                publisher.publish(render(frame))
        if camera_info is not None and self._camera_info is not None:
            camera_info.header = frame.header
            self._camera_info.publish(camera_info)

    @property
    def wants_camera_info(self) -> bool:
        """Whether anybody subscribes to `camera_info`."""
        return self._camera_info is not None and self._camera_info.get_subscription_count() > 0

    def destroy(self) -> None:
        """Takes the topics back."""
        publishers = [publisher for publisher, _ in self._renderings]
        for publisher in (*publishers, self._camera_info, self._label_info):
            if publisher is not None:
                self._node.destroy_publisher(publisher)


def _renderers(
    classes: ClassTable, names: Collection[str], masks: Iterable[str]
) -> Iterator[tuple[str, type, Render]]:
    """The outputs that need the network: name, message type, and what makes the message."""
    mono: dict[str, Draw] = {}
    if "label" in names:
        mono["label"] = lambda frame: frame.labels
    if "confidence" in names:
        mono["confidence"] = lambda frame: frame.confidence
    if "mask" in names:
        mono |= {topic: operator.methodcaller("mask", topic) for topic in masks}
    for name, pixels in mono.items():
        yield name, Image, _raw(pixels, "mono8")
        yield (
            f"{name}/compressed",
            CompressedImage,
            _compressed(pixels, gradual=name == "confidence"),
        )
    if "masks" in names:
        yield "masks", ClassMasks, lambda frame: class_masks(frame, classes)
    if "color" in names:
        yield "color", Image, _raw(lambda frame: frame.color, "rgb8")
    if "overlay" in names:
        yield "overlay", Image, _overlay()


def _raw(pixels: Draw, encoding: str) -> Render:
    message = ReusedImage(encoding)
    return lambda frame: message.of(frame.header, pixels(frame))


def _overlay() -> Render:
    message = ReusedImage("rgb8")

    def render(frame: SegmentedFrame) -> Image:
        frame.draw_overlay(message.canvas((*frame.labels.shape, 3)))
        return message.message(frame.header)

    return render


def _compressed(pixels: Draw, gradual: bool) -> Render:
    return lambda frame: to_png(frame.header, pixels(frame), gradual)


def class_masks(frame: SegmentedFrame, classes: ClassTable) -> ClassMasks:
    """The mask of every class that the frame shows."""
    height, width = frame.labels.shape
    masks = [
        ClassMask(
            id=mask.class_id,
            name=classes.names[mask.class_id],
            pixel_count=mask.pixel_count,
            mean_confidence=mask.mean_confidence,
            bounding_box=RegionOfInterest(
                x_offset=mask.x, y_offset=mask.y, width=mask.width, height=mask.height
            ),
            counts=mask.counts,
        )
        for mask in run_length.encode_classes(frame.labels, frame.confidence, len(classes))
    ]
    return ClassMasks(header=frame.header, height=height, width=width, masks=masks)
