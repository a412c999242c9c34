"""What the parameters make of the interface, on the running node over DDS."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_graph import RELIABLE, Graph, image_message, pixels_of
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import SetBool

import models
from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.frames.camera_info import fit_camera_info
from hyperseg_ros.runtime import Segmenter

BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def segment(graph: Graph, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with Segmenter.open(graph.model) as segmenter:
        result = segmenter(image)
    return result.labels, result.confidence


def test_groups_confidence_and_regions_change_while_the_node_runs(graph):
    parameters = {"mask_groups.flat": ["road"], "regions_of_interest.default": [0, 0, 0, 0]}
    with graph.segmentation(**parameters):
        names = ["mask/flat", "label", "confidence"]
        received = {name: graph.listen(graph.topic(f"segmentation/{name}")) for name in names}
        camera = graph.talk(graph.topic("image_raw"))

        def outputs() -> tuple[np.ndarray, dict[str, np.ndarray]]:
            message = image_message(graph.header())
            camera.publish(message)
            return pixels_of(message), {
                name: pixels_of(graph.arrival(messages, message.header))
                for name, messages in received.items()
            }

        image, got = outputs()
        labels, confidence = segment(graph, image)
        assert np.array_equal(got["mask/flat"] == 255, labels == CAMVID.index("road"))

        assert graph.set_parameters(mask_groups__flat=["road", "sky"], min_confidence=0.8) == [
            "",
            "",
        ]
        image, got = outputs()
        labels, confidence = segment(graph, image)
        sure = confidence >= 204
        assert 0 < sure.mean() < 1
        assert np.array_equal(got["label"], np.where(sure, labels, UNLABELLED))
        flat = np.isin(labels, [CAMVID.index("road"), CAMVID.index("sky")]) & sure
        assert np.array_equal(got["mask/flat"] == 255, flat)

        assert graph.set_parameters(
            min_confidence=0.0, regions_of_interest__default=[8, 4, 40, 30]
        ) == ["", ""]
        image, got = outputs()
        labels, confidence = segment(graph, np.ascontiguousarray(image[4:34, 8:48]))
        assert np.array_equal(got["label"][4:34, 8:48], labels)
        assert np.array_equal(got["confidence"][4:34, 8:48], confidence)
        assert (np.delete(got["label"], np.s_[4:34], axis=0) == UNLABELLED).all()
        assert got["label"].shape == image.shape[:2]


def test_a_change_that_cannot_be_leaves_everything_as_it_was(graph):
    region = "regions_of_interest.default"
    with graph.segmentation(**{"mask_groups.flat": ["road"], region: [0, 0, 64, 48]}):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        graph.answer(camera, image_message(graph.header()), labels)
        refused = {
            "mask_groups__flat": (["raod"], "no class 'raod': did you mean 'road'?"),
            "regions_of_interest__default": (
                [0, 0, 65, 48],
                "[0, 0, 65, 48] (x, y, width, height) is not inside an image of 64 x 48",
            ),
            "label_resolution": ("networc", "did you mean 'network'?"),
            "model": ("other.onnx", "model needs reconfigure"),
            "outputs": ([""], "outputs is empty"),
            "image_topics": ([""], "image_topics is empty"),
        }
        for name, (value, reason) in refused.items():
            (said,) = graph.set_parameters(**{name: value})
            assert reason in said
        message = image_message(graph.header())
        label = graph.answer(camera, message, labels)
        assert np.array_equal(pixels_of(label), segment(graph, pixels_of(message))[0])


def test_setting_a_parameter_to_what_it_is_needs_no_reconfiguration(graph):
    with graph.segmentation():
        graph.talk(graph.topic("image_raw"))
        assert graph.set_parameters(model=str(graph.model), backend="auto") == ["", ""]


def test_at_the_networks_resolution_calibration_and_labels_fit(graph):
    with graph.segmentation(
        **{"label_resolution": "network", "regions_of_interest.default": [0, 0, 0, 40]}
    ):
        infos = graph.listen(graph.topic("segmentation/camera_info"), CameraInfo)
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        calibration = graph.talk(graph.topic("camera_info"), CameraInfo)
        info = CameraInfo(height=48, width=64)
        info.k = [50.0, 0.0, 32.0, 0.0, 50.0, 24.0, 0.0, 0.0, 1.0]

        def answered() -> bool:
            calibration.publish(info)
            graph.answer(camera, image_message(graph.header()), labels)
            return bool(infos)

        graph.wait(answered, "a camera_info")
        message = image_message(graph.header())
        label = graph.answer(camera, message, labels)
        graph.wait(lambda: infos[-1].header == message.header, "its camera_info")
    assert (label.height, label.width, label.step) == (24, 32, 32)
    with Segmenter.open(graph.model) as segmenter:
        (expected,) = segmenter.segment([pixels_of(message)[:40]], at_input_size=True)
    assert np.array_equal(pixels_of(label), expected.labels)
    fitted = fit_camera_info(info, slice(0, 40), slice(0, 64), (24, 32))
    assert infos[-1].k.tolist() == fitted.k.tolist()
    assert (infos[-1].height, infos[-1].width) == (24, 32)


def test_png_outputs_hold_the_same_pixels_as_the_raw_ones(graph):
    with graph.segmentation():
        names = ["label", "confidence", "mask/road"]
        raw = {name: graph.listen(graph.topic(f"segmentation/{name}")) for name in names}
        png = {
            name: graph.listen(graph.topic(f"segmentation/{name}/compressed"), CompressedImage)
            for name in names
        }
        camera = graph.talk(graph.topic("image_raw"))
        message = image_message(graph.header())
        graph.answer(camera, message, raw["label"])
        graph.wait(lambda: all(raw.values()) and all(png.values()), "all outputs")
    for name in names:
        (picture,) = png[name]
        assert picture.header == message.header
        pixels = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(pixels, pixels_of(raw[name][0]))


# The tester and the node are processes of their own: within one, DDS allows a topic one type only.


def test_the_type_of_the_publishers_decides_whatever_the_topic_is_called(graph):
    topic = graph.topic("image_raw")
    graph.start()
    labels = graph.listen(graph.topic("segmentation/label"))
    graph.wait(lambda: graph.node.count_subscribers(topic), "the subscription")
    for kind in (CompressedImage, Image):
        camera = graph.talk(topic, kind)
        message = image_message(graph.header())
        if kind is CompressedImage:
            picture = cv2.imencode(".png", pixels_of(message))[1].tobytes()
            message = CompressedImage(header=message.header, format="png", data=picture)
        graph.answer(camera, message, labels)
        graph.node.destroy_publisher(camera)


def test_a_publisher_of_the_other_type_than_asked_for_is_named(graph):
    topic = graph.topic("image_raw")
    graph.start(input_type="raw")
    graph.wait(lambda: graph.node.count_subscribers(topic), "the subscription")
    camera = graph.node.create_publisher(CompressedImage, topic, RELIABLE)
    graph.wait(lambda: "CompressedImage" in status_of(graph), "the word")
    said = status_of(graph)
    assert "its publishers send sensor_msgs/msg/CompressedImage" in said
    assert "input_type" in said
    graph.node.destroy_publisher(camera)


def status_of(graph: Graph) -> str:
    return graph.diagnose(graph.topic("image_raw"))[0].message


@pytest.mark.parametrize(("outputs", "names"), [(["label", "mask"], {"label", "mask/road"})])
def test_only_the_outputs_asked_for_are_advertised(graph, outputs, names):
    with graph.segmentation(outputs=outputs, mask_classes=["road"]):
        graph.talk(graph.topic("image_raw"))  # all publishers are there when it subscribes
        prefix = graph.topic("segmentation/")
        topics = dict(graph.node.get_topic_names_and_types())
        advertised = {name.removeprefix(prefix) for name in topics if name.startswith(prefix)}
    assert advertised == names | {f"{name}/compressed" for name in names}


def test_enable_switches_the_cameras_off_and_on(graph):
    topic = graph.topic("image_raw")
    with graph.segmentation():
        labels = graph.listen(graph.topic("segmentation/label"))
        for _ in range(2):
            camera = graph.talk(topic)
            graph.answer(camera, image_message(graph.header()), labels)
            graph.node.destroy_publisher(camera)
            answer = graph.service(SetBool, "enable", SetBool.Request(data=False))
            assert (answer.success, answer.message) == (True, "disabled")
            graph.wait(lambda: not graph.node.count_subscribers(topic), "no subscription")
            status, _ = graph.diagnose("model")
            assert (status.level, status.message) == (
                DiagnosticStatus.OK,
                "disabled by the service enable",
            )
            assert graph.service(SetBool, "enable", SetBool.Request(data=True)).success
        assert graph.change_state("deactivate")
        answer = graph.service(SetBool, "enable", SetBool.Request(data=False))
        assert answer.message == "disabled, as soon as the node is active"
        assert graph.change_state("activate")
        graph.settle(0.3)
        assert not graph.node.count_subscribers(topic)


def test_of_a_fast_camera_only_so_many_frames_are_segmented(graph):
    """How many at which rate is told by the tests of the limiter, which know what time it is."""
    with graph.segmentation(max_rate=0.01, input_depth=30):  # one in 100 s
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        graph.answer(camera, image_message(graph.header()), labels)
        for _ in range(20):
            camera.publish(image_message(graph.header()))
        graph.wait_for_count("received", 21)
        counts = graph.settled_counts()
        assert (counts["received"], counts["segmented"], counts["skipped"]) == (21, 1, 20)
        assert graph.set_parameters(max_rate=0.0) == [""]
        for _ in range(5):
            graph.answer(camera, image_message(graph.header()), labels)
        assert graph.settled_counts()["segmented"] == len(labels) == 6


def test_label_info_says_the_confidence_threshold_and_follows_it(graph):
    messages = pytest.importorskip("vision_msgs.msg")
    with graph.segmentation(min_confidence=0.25):
        graph.talk(graph.topic("image_raw"))
        infos = graph.listen(graph.topic("segmentation/label_info"), messages.LabelInfo, LATCHED)
        graph.wait(lambda: infos, "label_info")
        assert infos[0].threshold == 0.25
        graph.set_parameters(min_confidence=0.75)
        graph.wait(lambda: infos[-1].threshold == 0.75, "the new one")


# Quality of service


def test_overrides_of_single_topics_go_before_the_parameters(graph):
    label, image = graph.topic("segmentation/label"), graph.topic("image_raw")
    overrides = {
        f"qos_overrides.{label}.publisher.durability": "transient_local",
        f"qos_overrides.{image}.subscription.reliability": "best_effort",
    }
    with graph.segmentation(**overrides):
        graph.wait(lambda: graph.node.count_subscribers(image), "the subscription")
        (found,) = graph.node.get_subscriptions_info_by_topic(image)
        assert found.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
        (found,) = graph.node.get_publishers_info_by_topic(label)
        assert found.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        (found,) = graph.node.get_publishers_info_by_topic(graph.topic("segmentation/color"))
        assert found.qos_profile.durability == DurabilityPolicy.VOLATILE
        # Up and down again: the parameters of the overrides are there already.
        for name in ("deactivate", "cleanup", "configure", "activate"):
            assert graph.change_state(name)


@pytest.mark.parametrize(
    ("policy", "value", "reason"),
    [
        ("relability", "reliable", "no policy 'relability': did you mean 'reliability'?"),
        ("reliability", "sometimes", "Unexpected QoS override"),
        ("depth", "deep", "expecting type 'INTEGER'"),
    ],
)
def test_an_override_that_is_none_is_told(graph, policy, value, reason):
    name = f"qos_overrides.{graph.topic('segmentation/label')}.publisher.{policy}"
    with graph.segmentation(**{name: value}):
        assert reason in graph.wait_for_failure()


def test_an_override_of_no_topic_is_told(graph):
    name = "qos_overrides./no/such/topic.publisher.depth"
    process = graph.start(**{name: 5})
    graph.talk(graph.topic("image_raw"))
    graph.wait(lambda: f"{name} matches no topic" in process.said(), "the word")


def test_a_publisher_that_does_not_fit_is_told_with_the_fix(graph):
    topic = graph.topic("image_raw")
    with graph.segmentation(input_reliability="reliable"):
        graph.wait(lambda: graph.node.count_subscribers(topic), "the subscription")
        publisher = graph.node.create_publisher(Image, topic, BEST_EFFORT)
        graph.wait(lambda: "reliability" in status_of(graph), "the word")
        said = status_of(graph)
        assert f"nothing comes from {graph.namespace}/tester on {topic}" in said
        assert f"set qos_overrides.{topic}.subscription.reliability to best_effort" in said
        assert "input_reliability" in said
        graph.node.destroy_publisher(publisher)
        graph.wait(lambda: "nobody publishes" in status_of(graph), "the trouble to be over")


def test_a_model_of_a_batch_takes_frames_of_several_cameras_at_once(graph, tmp_path):
    topics = [f"{graph.namespace}/{name}/image_raw" for name in ("left", "right")]
    model = models.write_palette_model(tmp_path / "pair.onnx", batch=2)
    with graph.segmentation(image_topics=topics, model=str(model)):
        label_topics = [topic.replace("image_raw", "segmentation/label") for topic in topics]
        received = [graph.listen(topic) for topic in label_topics]
        cameras = [graph.talk(topic) for topic in topics]
        assert graph.diagnose("model")[1]["batch size"] == "2"
        for _ in range(5):
            messages = [image_message(graph.header(), seed) for seed in (1, 2)]
            for camera, message in zip(cameras, messages, strict=True):
                camera.publish(message)
            for labels, message in zip(received, messages, strict=True):
                label = graph.arrival(labels, message.header)
                assert np.array_equal(pixels_of(label), segment(graph, pixels_of(message))[0])
