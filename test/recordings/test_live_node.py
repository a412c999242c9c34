"""A bag that was segmented offline holds the bytes that the node would have published."""

from __future__ import annotations

import bags
import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")

from nav_msgs.msg import OccupancyGrid
from ros_fixtures import graph, model, ros  # noqa: F401
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from walled_street import FIELDS, HEIGHT, WIDTH, Street

import models
from hyperseg_ros.frames.messages import IMAGE
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
            return all(
                len({padded_with_zeros(data, type_of(KINDS[name])) for data in raw}) >= count
                for name, raw in received.items()
            )

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


def test_free_space_is_the_same_bytes_too(graph, tmp_path):  # noqa: F811
    mount = [0.4, 0.1, 1.5, 0.02, 0.03, -0.1]
    fine = models.write_palette_model(tmp_path / "palette.onnx", input_size=(HEIGHT, WIDTH))
    kinds = {"free_space/scan": LaserScan, "free_space/grid": OccupancyGrid}
    body = np.zeros((HEIGHT, WIDTH), np.uint8)
    body[-HEIGHT // 6 :, : WIDTH // 3] = 255
    mask = tmp_path / "body.png"
    cv2.imwrite(str(mask), body)
    region = [0, 8, 0, 0]
    parameters = {"mount": mount, "regions_of_interest": region, "body_masks": str(mask)}
    graph.start(model=str(fine), **{f"{key}.default": given for key, given in parameters.items()})
    received = {
        name: graph.listen(graph.topic(f"segmentation/{name}"), kind, raw=True)
        for name, kind in kinds.items()
    }
    street = Street(graph)
    street.until(received["free_space/scan"])  # from here on each frame is waited for
    shown = []
    for index in range(3):
        header = graph.header()
        for raw in received.values():
            raw.clear()

        def complete(header=header, index=index):
            street.show(header=header)
            graph.settle(0.3)
            return all(stamped(raw, kind, header) for raw, kind in zip_kinds(received, kinds))

        graph.wait(complete, f"the free space of frame {index}")
        live = [stamped(raw, kind, header) for raw, kind in zip_kinds(received, kinds)]
        shown.append((street.show(header=header), live))
    topic, info_topic = graph.topic("image_raw"), graph.topic("camera_info")
    messages = []
    for image, _ in shown:
        stamp = image.header.stamp
        time = stamp.sec * 10**9 + stamp.nanosec
        pixels = np.frombuffer(image.data, np.uint8).reshape(HEIGHT, WIDTH, 3)
        same = bags.image(pixels, time, "rgb8")
        same.header.frame_id = image.header.frame_id
        info = bags.camera_info(time, (HEIGHT, WIDTH))
        info.distortion_model, info.d = "", np.zeros(0)
        info.k, info.p = np.array(FIELDS.k), np.array(FIELDS.p)
        messages += [(info_topic, bags.INFO, time - 1, info), (topic, IMAGE, time, same)]
    source = bags.write(tmp_path / "drive", messages)

    options = Options(
        str(fine),
        outputs=("free_space",),
        regions=((topic, tuple(region)),),
        mounts=((topic, tuple(mount)),),
        body_masks=((topic, str(mask)),),
    )
    (result,) = run(plan({source: tmp_path / "out"}, options), options)

    assert (result.frames, result.without) == (3, ())
    with Recording(tmp_path / "out") as recording:
        for number, (name, kind) in enumerate(kinds.items()):
            stored = list(recording.messages([graph.topic(f"segmentation/{name}")]))
            assert [padded_with_zeros(item.data, ros_name(kind)) for item in stored] == [
                live[number] for _, live in shown
            ], name
        (scan, *_) = recording.messages([graph.topic("segmentation/free_space/scan")])
        assert np.isfinite(recording.decode(scan).ranges).mean() > 0.9


def zip_kinds(received, kinds):
    return [(received[name], kind) for name, kind in kinds.items()]


def ros_name(kind):
    package = kind.__module__.partition(".")[0]
    return f"{package}/msg/{kind.__name__}"


def stamped(raw, kind, header):
    """The bytes of a received message that has the stamp of a header; None if it has not come."""
    for data in raw:
        message = types().deserialize_cdr(data, ros_name(kind))
        if (message.header.stamp.sec, message.header.stamp.nanosec) == (
            header.stamp.sec,
            header.stamp.nanosec,
        ):
            return padded_with_zeros(data, ros_name(kind))
    return None


def type_of(kind: type) -> str:
    """The name of a message's type, as bags have it."""
    return f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"


def padded_with_zeros(data: bytes, kind: str) -> bytes:
    """The bytes of a message, but for those between its fields: DDS sends what is in its buffer."""
    return bytes(types().serialize_cdr(types().deserialize_cdr(data, kind), kind))
