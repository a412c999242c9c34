"""What is published for a segmented frame, each output only while somebody subscribes to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.frames.messages import (
    CLASS_MASKS,
    COMPRESSED_IMAGE,
    IMAGE,
    label_info_fields,
)
from hyperseg_ros.frames.outputs import Output, new_canvas, outputs
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.msg import ClassMasks
from hyperseg_ros.node.compatibility import LabelInfo, VisionClass
from hyperseg_ros.node.conversions import ReusedImage, class_masks, compressed_image
from hyperseg_ros.node.quality_of_service import Endpoints

_LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_CLASSES: dict[str, type] = {
    IMAGE: Image,
    COMPRESSED_IMAGE: CompressedImage,
    CLASS_MASKS: ClassMasks,
}

Render = Callable[[Header, SegmentedFrame], Any]


class Outputs:
    """The publishers of one camera.

    Args:
        node: the node that publishes.
        endpoints: creates publishers.
        topics: the names of the camera's topics.
        classes: the model's classes.
        names: what to publish, some of `frames.outputs.OUTPUTS`.
        masks: the topics of the masks.
        qos: of all outputs but `label_info`, which is reliable and transient local.

    Raises:
        ParameterError: an override of a quality of service is invalid.
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
            for output in outputs(classes, names, masks):
                created = publisher(_CLASSES[output.type], output.name)
                self._renderings.append((created, _renderer(output)))
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

    @property
    def wants_camera_info(self) -> bool:
        """Whether anybody subscribes to `camera_info`."""
        return self._camera_info is not None and self._camera_info.get_subscription_count() > 0

    def announce(self, min_confidence: float) -> None:
        """Publishes `label_info`, which late subscribers get too."""
        if self._label_info is not None:
            fields = label_info_fields(self._classes, min_confidence)
            class_map = [VisionClass(**entry) for entry in fields["class_map"]]
            message = LabelInfo(**{**fields, "class_map": class_map})
            message.header.stamp = self._node.get_clock().now().to_msg()
            self._label_info.publish(message)

    def publish(
        self, header: Header, frame: SegmentedFrame, camera_info: CameraInfo | None
    ) -> None:
        """Renders and publishes what somebody subscribes to, all with the header of the image."""
        for publisher, render in self._renderings:
            if publisher.get_subscription_count() > 0:
                publisher.publish(render(header, frame))
        if camera_info is not None and self._camera_info is not None:
            camera_info.header = header
            self._camera_info.publish(camera_info)

    def destroy(self) -> None:
        """Removes the publishers."""
        publishers = [publisher for publisher, _ in self._renderings]
        for publisher in (*publishers, self._camera_info, self._label_info):
            if publisher is not None:
                self._node.destroy_publisher(publisher)


def _renderer(output: Output) -> Render:
    """What makes an output's message."""
    if output.type == IMAGE:
        image = ReusedImage()
        return lambda header, frame: image.message(header, output.fields(frame, image.canvas))
    make = {COMPRESSED_IMAGE: compressed_image, CLASS_MASKS: class_masks}[output.type]
    return lambda header, frame: make(header, output.fields(frame, new_canvas))
