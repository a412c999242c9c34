"""The real node over real DDS: frames go in, outputs come back with the header of their frame."""

from __future__ import annotations

import re
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from lifecycle_msgs.msg import State
from node_process import program
from pycocotools import mask as coco
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_graph import OBEDIENT, RELIABLE, Graph, image_message, pixels_of
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

import models
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.msg import ClassMasks
from hyperseg_ros.node.conversions import to_image
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.runtime import Segmenter, find_model
from hyperseg_ros.simulation import StreetCamera


def frames(size: tuple[int, int]) -> Iterator[np.ndarray]:
    camera = StreetCamera(seed=3, width=size[1], height=size[0])
    for index in (0, 40):
        yield camera.frame(index).image


# Results


@pytest.mark.parametrize("size", [(48, 64), (37, 51), (480, 640)])
def test_label_and_confidence_equal_the_segmenters_byte_for_byte(graph, size):
    with graph.segmentation(), Segmenter.open(graph.model) as segmenter:
        labels = graph.listen(graph.topic("segmentation/label"))
        confidences = graph.listen(graph.topic("segmentation/confidence"))
        camera = graph.talk(graph.topic("image_raw"))
        for image in frames(size):
            message = to_image(graph.header(), image, "bgr8")
            label = graph.answer(camera, message, labels)
            confidence = graph.wait(
                lambda header=message.header: next(
                    (c for c in confidences if c.header == header), None
                ),
                "confidence",
            )
            expected = segmenter(image)
            for output, pixels in ((label, expected.labels), (confidence, expected.confidence)):
                assert output.header == message.header
                assert (output.height, output.width) == size
                assert output.encoding == "mono8"
                assert output.step == size[1]
                assert output.data.tobytes() == pixels.tobytes()


def test_the_shipped_model_segments_the_shared_clip_over_dds(graph, shared):
    model = find_model("hyperseg-s-lite0-camvid")
    paths = sorted((shared / "camvid" / "val").glob("*.png"))[:3]
    with graph.segmentation(model=str(model)), Segmenter.open(model) as segmenter:
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        for path in paths:
            image = cv2.imread(str(path))
            label = graph.answer(camera, to_image(graph.header(), image, "bgr8"), labels)
            assert label.data.tobytes() == segmenter(image).labels.tobytes()


def test_every_output_is_a_view_of_the_same_labels(graph):
    names = ["confidence", "color", "overlay", "mask/road", "mask/bicyclist"]
    with graph.segmentation(overlay_opacity=0.25):
        received = {name: graph.listen(graph.topic(f"segmentation/{name}")) for name in names}
        masks = graph.listen(graph.topic("segmentation/masks"), ClassMasks)
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        message = to_image(graph.header(), next(frames((48, 64))), "bgr8")
        label = pixels_of(graph.answer(camera, message, labels))
        graph.wait(lambda: masks and all(received.values()), "the other outputs")

    outputs = {name: messages[0] for name, messages in received.items()}
    assert all(output.header == message.header for output in (*outputs.values(), masks[0]))
    encodings = {name: (output.encoding, output.step) for name, output in outputs.items()}
    assert encodings == {
        "confidence": ("mono8", 64),
        "color": ("rgb8", 192),
        "overlay": ("rgb8", 192),
        "mask/road": ("mono8", 64),
        "mask/bicyclist": ("mono8", 64),
    }
    color = CAMVID.palette()[label]
    assert np.array_equal(pixels_of(outputs["color"]), color)
    blend = 0.25 * color + 0.75 * pixels_of(message)[..., ::-1]
    assert np.abs(pixels_of(outputs["overlay"]) - blend).max() <= 0.5001
    for name in ("road", "bicyclist"):
        mask = pixels_of(outputs[f"mask/{name}"])
        assert np.array_equal(mask == 255, label == CAMVID.index(name))
        assert set(np.unique(mask)) <= {0, 255}
    assert {mask.id for mask in masks[0].masks} == set(np.unique(label))
    for mask in masks[0].masks:
        decoded = coco.decode({"size": [48, 64], "counts": mask.counts.encode()})
        assert np.array_equal(decoded == 1, label == mask.id)
        assert mask.pixel_count == (label == mask.id).sum()


def test_a_compressed_topic_is_segmented_beside_its_raw_one(graph):
    topic = graph.topic("image_raw/compressed")
    with graph.segmentation(image_topics=[topic]):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(topic, CompressedImage)
        image = next(frames((48, 64)))
        message = CompressedImage(header=graph.header(), format="bgr8; png compressed bgr8")
        message.data.frombytes(cv2.imencode(".png", image)[1].tobytes())
        label = graph.answer(camera, message, labels)
        with Segmenter.open(graph.model) as segmenter:
            assert label.data.tobytes() == segmenter(image).labels.tobytes()


def test_the_cameras_calibration_goes_with_the_label(graph):
    with graph.segmentation():
        infos = graph.listen(graph.topic("segmentation/camera_info"), CameraInfo)
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        calibration = graph.talk(graph.topic("camera_info"), CameraInfo)
        info = CameraInfo(height=48, width=64, distortion_model="plumb_bob", d=[0.1] * 5)
        info.k = [50.0, 0.0, 32.0, 0.0, 50.0, 24.0, 0.0, 0.0, 1.0]

        def answered() -> bool:
            calibration.publish(info)
            graph.answer(camera, image_message(graph.header()), labels)
            return bool(infos)

        graph.wait(answered, "a camera_info")  # it comes by another topic than the frames
        graph.wait(lambda: infos[-1].header == labels[-1].header, "the last label's camera_info")
        assert infos[-1].k.tolist() == info.k.tolist()
        assert infos[-1].d.tolist() == info.d.tolist()

        seen = len(infos)
        graph.answer(camera, image_message(graph.header(), size=(24, 64)), labels)
        message = image_message(graph.header())
        camera.publish(message)
        graph.arrival(infos, message.header)
        assert len(infos) == seen + 1  # a calibration for another size is none


def test_classes_are_announced_before_the_first_label(graph):
    messages = pytest.importorskip("vision_msgs.msg")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with graph.segmentation():
        graph.talk(graph.topic("image_raw"))
        infos = graph.listen(graph.topic("segmentation/label_info"), messages.LabelInfo, latched)
        graph.wait(lambda: infos, "label_info without any frame")
        names = {item.class_id: item.class_name for item in infos[0].class_map}
        assert names == dict(enumerate(CAMVID.names))


def test_opacity_changes_while_the_node_runs(graph):
    with graph.segmentation(overlay_opacity=1.0):
        overlays = graph.listen(graph.topic("segmentation/overlay"))
        camera = graph.talk(graph.topic("image_raw"))
        first = image_message(graph.header())
        opaque = graph.answer(camera, first, overlays)
        assert not np.array_equal(pixels_of(opaque), pixels_of(first)[..., ::-1])
        assert graph.set_parameters(overlay_opacity=0.0) == [""]
        second = image_message(graph.header())
        clear = graph.answer(camera, second, overlays)
        assert np.array_equal(pixels_of(clear), pixels_of(second)[..., ::-1])


# Quality of service


def qos_of(graph: Graph, name: str, ends: str) -> QoSProfile:
    """The quality of service of the only publisher or subscription of a topic."""
    find = getattr(graph.node, f"get_{ends}_info_by_topic")
    (info,) = graph.wait(lambda: find(graph.topic(name)), f"{ends} of {name}")
    return info.qos_profile


OUTPUTS = ("label", "confidence", "color", "overlay", "masks", "mask/sky", "camera_info")


@pytest.mark.parametrize(
    ("parameters", "reliability"),
    [
        ({}, ReliabilityPolicy.RELIABLE),
        ({"output_reliability": "best_effort"}, ReliabilityPolicy.BEST_EFFORT),
    ],
)
def test_outputs_are_reliable_unless_asked_otherwise(graph, parameters, reliability):
    with graph.segmentation(**parameters):
        for name in OUTPUTS:
            qos = qos_of(graph, f"segmentation/{name}", "publishers")
            assert (qos.reliability, qos.durability) == (reliability, DurabilityPolicy.VOLATILE)


@pytest.mark.parametrize("reliability", ["best_effort", "reliable"])
def test_the_subscription_is_as_reliable_as_asked(graph, reliability):
    with graph.segmentation(input_reliability=reliability):
        qos = qos_of(graph, "image_raw", "subscriptions")
    assert qos.reliability == ReliabilityPolicy[reliability.upper()]
    assert Parameters().input_reliability == "auto"


def test_mask_topics_are_those_of_the_parameter(graph):
    def masks() -> set[str]:
        topics = dict(graph.node.get_topic_names_and_types())
        return {name.removeprefix(prefix) for name in topics if name.startswith(prefix)}

    prefix = graph.topic("segmentation/mask/")
    with graph.segmentation(mask_classes=["car", "road"]):
        expected = {"car", "road", "car/compressed", "road/compressed"}
        graph.wait(lambda: masks() == expected, "the masks of car and road")
        graph.talk(graph.topic("image_raw"))  # all publishers are there when it subscribes
        assert masks() == expected


# Overload and many cameras


def test_under_overload_the_newest_frame_wins_and_drops_are_counted(graph):
    with graph.segmentation(OBEDIENT, input_depth=10) as process:
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        graph.order(process, "hold")
        sent = [image_message(graph.header(), seed=number) for number in range(6)]
        camera.publish(sent[0])
        graph.wait(lambda: "at work" in process.said(), "the first to be at work")
        for message in sent[1:]:
            camera.publish(message)
        graph.wait_for_count("received", 6)
        graph.order(process, "go")
        counts = graph.settled_counts()
        graph.wait(lambda: len(labels) == 2, "two labels")
    assert [label.header for label in labels] == [sent[0].header, sent[-1].header]
    assert (counts["received"], counts["segmented"], counts["dropped"]) == (6, 2, 4)


def test_a_flooding_camera_does_not_starve_another(graph):
    topics = {name: f"{graph.namespace}/{name}/image_raw" for name in ("flood", "calm")}
    with graph.segmentation(
        OBEDIENT, image_topics=list(topics.values()), input_depth=10
    ) as process:
        labels: list[Image] = []
        for topic in topics.values():
            graph.node.create_subscription(
                Image, topic.replace("image_raw", "segmentation/label"), labels.append, RELIABLE
            )
        cameras = {name: graph.talk(topic) for name, topic in topics.items()}
        received = dict.fromkeys(topics, 0)
        graph.order(process, "hold")
        at_work = 0

        def send(name: str, count: int) -> None:
            for _ in range(count):
                header = graph.header()
                header.frame_id = name
                cameras[name].publish(image_message(header))
            received[name] += count
            graph.wait_for_count("received", received[name], topics[name])

        def at_work_next() -> bool:
            return process.said().count("at work") > at_work

        send("flood", 1)
        graph.wait(at_work_next, "the first frame to be at work")
        for turn in range(3):
            send("calm", 1)
            send("flood", 3)
            for _ in range(2):  # what is at work, then the other camera's
                at_work += 1
                process.tell("pass")
                graph.wait(at_work_next, "the next frame to be at work")
            graph.wait(lambda count=turn: len(labels) == 2 * count + 2, "labels")
        graph.order(process, "go")
        graph.wait(lambda: len(labels) == 7, "the last label")
    assert [label.header.frame_id for label in labels] == ["flood", "calm"] * 3 + ["flood"]


def test_frames_that_nobody_watches_are_not_segmented(graph):
    with graph.segmentation(OBEDIENT, input_depth=10) as process:
        camera = graph.talk(graph.topic("image_raw"))
        for _ in range(3):
            camera.publish(image_message(graph.header()))
        graph.wait_for_count("received", 3)
        counts = graph.settled_counts()
        assert "at work" not in process.said()
    assert counts["segmented"] == 0
    assert counts["unwatched"] + counts["dropped"] == 3


# Bad input


def test_bad_frames_are_counted_and_the_next_good_one_is_segmented(graph):
    bad: list[dict[str, object]] = [
        {"step": 5},
        {"height": 0},
        {"encoding": "bgr9"},
        {"width": 2**31},
        {"height": 2**20},
        {"data": []},
    ]
    with graph.segmentation():
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        sent = []
        for changes in bad:
            broken = image_message(graph.header())
            for name, value in changes.items():
                setattr(broken, name, value)
            camera.publish(broken)
            graph.wait_for_bad(len(sent) + 1)
            good = image_message(graph.header())
            sent.append(graph.answer(camera, good, labels).header)
        _, values = graph.diagnose(graph.topic("image_raw"))
    assert [label.header for label in labels] == sent
    assert values["frames bad"] == str(len(bad))
    assert values["frames segmented"] == str(len(bad))
    assert values["last error"].startswith("bad image: data has 0 bytes")


def test_a_frame_the_network_fails_on_is_one_lost_frame(graph):
    with graph.segmentation(OBEDIENT) as process:
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        graph.order(process, "raise")
        camera.publish(image_message(graph.header()))
        graph.wait_for_bad(1)
        graph.order(process, "go")
        message = image_message(graph.header())
        graph.answer(camera, message, labels)
        _, values = graph.diagnose(graph.topic("image_raw"))
    assert [label.header for label in labels] == [message.header]
    assert values["frames bad"] == "1"
    assert values["last error"] == "frame failed: out of luck"


# Life cycle


def test_without_autostart_the_node_waits(graph):
    with graph.segmentation(autostart=False):
        assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED
        assert not graph.node.count_publishers(graph.topic("segmentation/label"))
        assert graph.change_state("configure")
        assert graph.state() == State.PRIMARY_STATE_INACTIVE
        graph.wait(
            lambda: graph.node.count_publishers(graph.topic("segmentation/label")), "outputs"
        )
        assert not graph.node.count_subscribers(graph.topic("image_raw"))


def test_up_down_and_up_again(graph):
    label, image = graph.topic("segmentation/label"), graph.topic("image_raw")
    with graph.segmentation(autostart=False):
        for _ in range(3):
            assert graph.change_state("configure")
            labels = graph.listen(label)
            for _ in range(2):
                assert graph.change_state("activate")
                camera = graph.talk(image)
                graph.answer(camera, image_message(graph.header()), labels)
                graph.node.destroy_publisher(camera)
                assert graph.change_state("deactivate")
                assert graph.state() == State.PRIMARY_STATE_INACTIVE
                graph.wait(lambda: not graph.node.count_subscribers(image), "no subscription")
            assert graph.change_state("cleanup")
            assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED
            graph.wait(lambda: not graph.node.count_publishers(label), "no outputs")
        assert graph.change_state("shutdown")
        assert graph.state() == State.PRIMARY_STATE_FINALIZED


HUMBLE = """
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode

def change_state(*_):
    raise rclpy_implementation.RCLError("no such transition")

LifecycleNode._LifecycleNodeMixin__change_state = change_state
"""
"""Its rclpy does not catch what its C layer says."""


@pytest.mark.parametrize("prelude", ["", HUMBLE], ids=["installed", "humble"])
def test_a_transition_that_is_not_possible_is_refused(graph, prelude):
    with graph.segmentation(program("hyperseg_ros.node.main", prelude), autostart=False):
        assert not graph.change_state("activate")
        assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"model": "/nowhere/street.onnx"}, "there is no model file /nowhere/street.onnx"),
        ({"model": __file__}, "is not an ONNX file"),
        ({"mask_classes": ["raod"]}, "mask_classes: no class 'raod': did you mean 'road'?"),
        ({"image_topics": ["/a/left", "/a/right"]}, "/a/left and /a/right would both publish"),
        (
            {"image_topics": ["/a//left"]},
            "image_topics: '/a//left' is no topic name",
        ),
    ],
)
def test_what_cannot_be_configured_fails_with_the_reason_and_can_be_set_right(
    graph, parameters, reason
):
    with graph.segmentation(**parameters):
        assert re.search(reason, graph.wait_for_failure())
        assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED
        assert not graph.node.count_publishers(graph.topic("segmentation/label"))
        assert not graph.change_state("configure")

        graph.set_parameters(
            model=str(graph.model),
            mask_classes=["road"],
            image_topics=[graph.topic("image_raw")],
        )
        assert graph.change_state("configure")
        assert graph.change_state("activate")
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        graph.answer(camera, image_message(graph.header()), labels)


def test_a_card_of_other_classes_gives_other_mask_topics(graph, tmp_path):
    classes = models.ClassTable(("free space", "rest"), ((0, 255, 0), (9, 9, 9)))
    model = models.write_palette_model(tmp_path / "two.onnx", classes)
    with graph.segmentation(model=str(model)):
        masks = graph.listen(graph.topic("segmentation/mask/free_space"))
        camera = graph.talk(graph.topic("image_raw"))
        green = np.zeros((24, 32, 3), np.uint8)
        green[:, 16:, 1] = 255
        answer = graph.answer(camera, to_image(graph.header(), green, "bgr8"), masks)
        assert np.array_equal(pixels_of(answer) == 255, green[..., 1] == 255)
