"""What is published for a segmented frame, each output only while somebody subscribes to it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.msg import ClassMask, ClassMasks
from hyperseg_ros.node.compatibility import LabelInfo, VisionClass
from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.node.topics import CameraTopics, topic_token
from hyperseg_ros.runtime import Segmentation, run_length
from hyperseg_ros.runtime.drawing import colorize, overlay


@dataclass(frozen=True)
class SegmentedFrame:
    """A camera frame and what the network says about it."""

    header: Header
    image: NDArray[np.uint8]
    """BGR, uint8 [H, W, 3]."""
    labels: NDArray[np.uint8]
    """Class ids, uint8 [H, W]."""
    confidence: NDArray[np.uint8]
    """Probability of the label x 255, uint8 [H, W]."""
    palette: NDArray[np.uint8]
    """RGB colour of each id, uint8 [256, 3]."""

    @functools.cached_property
    def color(self) -> NDArray[np.uint8]:
        """The labels in their colours, RGB, uint8 [H, W, 3]."""
        return colorize(self.labels, self.palette)

    def overlaid(self, opacity: float) -> NDArray[np.uint8]:
        """The colours over the camera image, RGB, uint8 [H, W, 3]."""
        return overlay(cv2.cvtColor(self.image, cv2.COLOR_BGR2RGB), self.color, opacity)

    def mask(self, class_id: int) -> NDArray[np.uint8]:
        """255 where the label is `class_id`, 0 elsewhere, uint8 [H, W]."""
        return cv2.compare(self.labels, class_id, cv2.CMP_EQ)


_LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

Render = Callable[[SegmentedFrame], Any]


class Outputs:
    """The publishers of one camera.

    Args:
        node: the node that publishes.
        topics: the names of the camera's topics.
        classes: the model's classes.
        mask_classes: ids of the classes with a topic `mask/<class>` of their own.
        qos: of all outputs but `label_info`, which is reliable and transient local.
        overlay_opacity: gives the present weight of the colours in the overlay, 0 to 1.

    Raises:
        ValueError: two mask classes would share a topic.
    """

    def __init__(
        self,
        node: Node,
        topics: CameraTopics,
        classes: ClassTable,
        mask_classes: list[int],
        qos: QoSProfile,
        overlay_opacity: Callable[[], float],
    ) -> None:
        self._node = node
        self._palette = classes.palette()
        renderers: dict[str, tuple[type, Render]] = {
            "label": (Image, lambda f: to_image(f.header, f.labels, "mono8")),
            "confidence": (Image, lambda f: to_image(f.header, f.confidence, "mono8")),
            "masks": (ClassMasks, lambda f: class_masks(f, classes)),
            "color": (Image, lambda f: to_image(f.header, f.color, "rgb8")),
            "overlay": (Image, lambda f: to_image(f.header, f.overlaid(overlay_opacity()), "rgb8")),
        }
        for index in mask_classes:
            topic = f"mask/{topic_token(classes.names[index])}"
            if topic in renderers:
                raise ValueError(
                    f"mask_classes: class {classes.names[index]!r} would share the topic {topic} "
                    "with another class; leave one of them out"
                )
            renderers[topic] = (Image, _mask_renderer(index))
        self._outputs: list[tuple[Publisher, Render]] = [
            (node.create_publisher(message_type, topics.output(name), qos), render)
            for name, (message_type, render) in renderers.items()
        ]
        self._camera_info = node.create_publisher(CameraInfo, topics.output("camera_info"), qos)
        self._names = classes.names
        self._label_info: Publisher | None = None
        if LabelInfo is not None:
            self._label_info = node.create_publisher(
                LabelInfo, topics.output("label_info"), _LATCHED
            )

    @property
    def wanted(self) -> bool:
        """Whether anybody subscribes to what needs the network."""
        return any(publisher.get_subscription_count() > 0 for publisher, _ in self._outputs)

    def announce(self) -> None:
        """Publishes `label_info`, which latecomers get too."""
        if self._label_info is not None:
            message = LabelInfo(
                class_map=[
                    VisionClass(class_id=index, class_name=name)
                    for index, name in enumerate(self._names)
                ]
            )
            message.header.stamp = self._node.get_clock().now().to_msg()
            self._label_info.publish(message)

    def publish(
        self,
        header: Header,
        image: NDArray[np.uint8],
        result: Segmentation,
        camera_info: CameraInfo | None,
    ) -> None:
        """Renders and publishes what somebody subscribes to, all with `header`."""
        frame = SegmentedFrame(header, image, result.labels, result.confidence, self._palette)
        for publisher, render in self._outputs:
            if publisher.get_subscription_count() > 0:
                publisher.publish(render(frame))
        if camera_info is not None and self._camera_info.get_subscription_count() > 0:
            camera_info.header = header
            self._camera_info.publish(camera_info)

    def destroy(self) -> None:
        """Takes the topics back."""
        publishers = [publisher for publisher, _ in self._outputs]
        publishers += [self._camera_info, self._label_info]
        for publisher in publishers:
            if publisher is not None:
                self._node.destroy_publisher(publisher)


def _mask_renderer(class_id: int) -> Render:
    return lambda frame: to_image(frame.header, frame.mask(class_id), "mono8")


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
