"""A bag that was segmented offline holds the bytes that the node would have published."""

from __future__ import annotations

import bags
import numpy as np
import pytest

pytest.importorskip("rclpy")

from ros_fixtures import graph, model, ros  # noqa: F401
from sensor_msgs.msg import CameraInfo, Image

from hyperseg_ros.msg import ClassMasks
from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.recordings.definitions import types
from hyperseg_ros.recordings.plan import Options
from hyperseg_ros.recordings.reading import Recording
from hyperseg_ros.recordings.run import plan, run

KINDS = {
    "label": Image,
    "confidence": Image,
    "color": Image,
    "overlay": Image,
    "mask/road": Image,
    "masks": ClassMasks,
    "camera_info": CameraInfo,
}
SIZE = (48, 64)


def test_the_same_frames_give_the_same_bytes(graph, tmp_path):  # noqa: F811
    topic, info_topic = graph.topic("image_raw"), graph.topic("camera_info")
    names = ("label", "confidence", "color", "overlay", "mask", "masks", "camera_info")
    graph.start(outputs=list(names), mask_classes=["road"], input_reliability="reliable")
    images = graph.talk(topic)
    infos = graph.node.create_publisher(CameraInfo, info_topic, 10)
    received = {
        name: graph.listen(graph.topic(f"segmentation/{name}"), kind, raw=True)
        for name, kind in KINDS.items()
    }
    info = CameraInfo(height=SIZE[0], width=SIZE[1], distortion_model="plumb_bob", d=[0.1] * 5)
    info.k[0] = info.k[4] = 50.0
    messages = []
    for index in range(3):
        header = graph.header()
        pixels = bags.pixels(index, SIZE)
        message = to_image(header, pixels, "bgr8")
        count = index + 1

        def complete(message=message, count=count):
            infos.publish(info)
            images.publish(message)
            graph.settle(0.3)
            return all(len(set(raw)) >= count for raw in received.values())

        graph.wait(complete, f"all outputs of frame {index}")
        time = header.stamp.sec * 10**9 + header.stamp.nanosec
        same = bags.image(pixels, time)
        same.header.frame_id = header.frame_id
        messages.append((topic, "sensor_msgs/msg/Image", time, same))
    bag_info = bags.ROS2.types["sensor_msgs/msg/CameraInfo"](
        header=bags.header(bags.ROS2, 0),
        height=SIZE[0],
        width=SIZE[1],
        distortion_model="plumb_bob",
        d=np.asarray(info.d),
        k=info.k,
        r=info.r,
        p=info.p,
        binning_x=0,
        binning_y=0,
        roi=bags.ROS2.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
    )
    first = messages[0][2] - 1
    messages.insert(0, (info_topic, "sensor_msgs/msg/CameraInfo", first, bag_info))
    source = bags.write(tmp_path / "drive", messages)

    options = Options(str(graph.model), outputs=names, masks=("road",))
    (result,) = run(plan({source: tmp_path / "out"}, options), options)

    assert result.frames == 3
    with Recording(tmp_path / "out") as recording:
        for name in KINDS:
            stored = list(recording.messages([graph.topic(f"segmentation/{name}")]))
            kind = stored[0].connection.msgtype
            assert [padded_with_zeros(item.data, kind) for item in stored] == list(
                dict.fromkeys(padded_with_zeros(data, kind) for data in received[name])
            ), name
            assert len(stored) == 3


def padded_with_zeros(data: bytes, kind: str) -> bytes:
    """The bytes of a message, but for those between its fields: DDS sends what is in its buffer."""
    return bytes(types().serialize_cdr(types().deserialize_cdr(data, kind), kind))
