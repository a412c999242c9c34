"""What goes wrong on robots, done to the running node over DDS."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State
from node_process import DIES_WITH_THE_TESTS, PATIENCE, program
from ros_graph import OBEDIENT, Graph, image_message, pixels_of
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

import models
from hyperseg_ros.classes import ClassTable
from hyperseg_ros.runtime.backends.cache_folder import default_folder


def answers(graph: Graph, labels: list[Image], camera: object) -> None:
    """The node segments a frame, and rightly."""
    message = image_message(graph.header())
    label = graph.answer(camera, message, labels)
    assert np.array_equal(pixels_of(label), graph.expected(pixels_of(message)))


# Frames


def test_bad_images_among_good_ones_at_30_hz_cost_only_themselves(graph):
    def broken(header, kind: int) -> Image:
        message = image_message(header)
        changes = [
            {"step": 3},
            {"encoding": "yuv9"},
            {"height": 4000},
            {"data": message.data[:77]},
            {"width": 0},
        ][kind % 5]
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    with graph.segmentation(input_depth=10):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        good = []
        for number in range(60):
            header = graph.header()
            if number % 3 == 1:
                camera.publish(broken(header, number))
            else:
                good.append(header)
                camera.publish(image_message(header))
            graph.settle(1 / 30)
        answers(graph, labels, camera)
        counts = graph.settled_counts()
        _, values = graph.diagnose(graph.topic("image_raw"))
    segmented = [label.header for label in labels[:-1]]
    assert all(header in good for header in segmented)
    assert len(segmented) == counts["segmented"] - 1
    assert len(segmented) + counts["bad"] + counts["dropped"] == 60
    assert len(segmented) >= len(good) - counts["dropped"]
    assert values["last error"].startswith("bad image: ")


def test_a_camera_that_changes_size_and_encoding_in_mid_stream_is_followed(graph):
    with graph.segmentation():
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        for size in ((48, 64), (30, 20), (480, 640), (48, 64)):
            message = image_message(graph.header(), size=size)
            label = graph.answer(camera, message, labels)
            assert np.array_equal(pixels_of(label), graph.expected(pixels_of(message)))
            gray = Image(header=graph.header(), height=size[0], width=size[1], encoding="mono8")
            gray.step = size[1]
            gray.data.frombytes(pixels_of(message)[..., 0].tobytes())
            label = graph.answer(camera, gray, labels)
            pixels = np.repeat(pixels_of(gray)[..., None], 3, axis=2)
            assert np.array_equal(pixels_of(label), graph.expected(pixels))


def test_a_region_of_interest_that_a_new_size_leaves_is_one_message_and_heals(graph):
    with graph.segmentation(**{"regions_of_interest.default": [0, 0, 0, 48]}):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        graph.answer(camera, image_message(graph.header()), labels)
        camera.publish(image_message(graph.header(), size=(40, 64)))
        graph.wait_for_bad(1)
        _, values = graph.diagnose(graph.topic("image_raw"))
        assert (
            "[0, 0, 0, 48] (x, y, width, height) is not inside an image of 64 x 40"
            in (values["last error"])
        )
        graph.answer(camera, image_message(graph.header()), labels)


def test_stamps_that_run_backwards_or_are_zero_are_kept_and_told(graph):
    process = graph.start()
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    for seconds in (100, 98, 0, -5, 101):
        message = image_message(graph.header())
        message.header.stamp.sec = seconds
        message.header.stamp.nanosec = 0
        graph.answer(camera, message, labels)
    graph.wait(lambda: "have no stamp" in process.said(), "the word")
    said = process.said()
    topic = graph.topic("image_raw")
    assert f"stamps of {topic} run backwards, by 2.000 s" in said
    assert f"images of {topic} have no stamp" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("form", [".png", ".jpg"])
def test_a_compressed_frame_cut_short_is_told_and_the_next_is_segmented(graph, form):
    topic = graph.topic("image_raw/compressed")
    with graph.segmentation(image_topics=[topic]):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(topic, CompressedImage)
        noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        whole = cv2.imencode(form, noise)[1].tobytes()
        for count, length in ((1, len(whole) // 2), (2, len(whole) - 3), (3, 20)):
            cut = CompressedImage(header=graph.header(), format=form, data=whole[:length])
            camera.publish(cut)
            graph.wait(
                lambda number=str(count): graph.diagnose(topic)[1]["frames bad"] == number,
                "the bad frame",
            )
        _, values = graph.diagnose(topic)
        assert "is cut short" in values["last error"]
        message = CompressedImage(header=graph.header(), format=form, data=whole)
        label = graph.answer(camera, message, labels)
        pixels = cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(pixels_of(label), graph.expected(pixels))


def test_a_calibration_of_another_size_is_told_and_only_camera_info_is_missing(graph):
    process = graph.start()
    labels = graph.listen(graph.topic("segmentation/label"))
    infos = graph.listen(graph.topic("segmentation/camera_info"), CameraInfo)
    camera = graph.talk(graph.topic("image_raw"))
    calibration = graph.talk(graph.topic("camera_info"), CameraInfo)
    reason = "camera_info is for 32 x 99 pixels, the images have 64 x 48"

    def told() -> bool:
        calibration.publish(CameraInfo(height=99, width=32))
        answers(graph, labels, camera)
        return reason in process.said()

    graph.wait(told, "the word")
    assert infos == []


# The network


def test_a_network_that_raises_loses_only_those_frames(graph):
    with graph.segmentation(OBEDIENT) as process:
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        for count in (1, 2):
            graph.order(process, "raise")
            camera.publish(image_message(graph.header()))
            graph.wait_for_bad(count)
            graph.order(process, "go")
            answers(graph, labels, camera)
        _, values = graph.diagnose(graph.topic("image_raw"))
    assert len(labels) == 2
    assert values["last error"].startswith("frame failed: out of luck")


def test_a_network_whose_output_is_invalid_loses_only_those_frames(graph, tmp_path):
    """Its card has fewer classes than it tells apart: dark pixels have an id, bright ones none."""
    dark, bright = (0, 0, 0), (255, 255, 255)
    model = models.write_palette_model(
        tmp_path / "invalid.onnx",
        ClassTable(("dark",), (dark,)),
        outputs=ClassTable(("dark", "bright"), (dark, bright)),
    )
    with graph.segmentation(model=str(model)):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        for count in (1, 2):
            for shade, received in ((0, labels), (255, None)):
                message = image_message(graph.header())
                message.data = bytes([shade]) * len(message.data)
                if received is not None:
                    assert not pixels_of(graph.answer(camera, message, labels)).any()
                else:
                    camera.publish(message)
                    graph.wait_for_bad(count)
        _, values = graph.diagnose(graph.topic("image_raw"))
    assert values["last error"].startswith("frame failed: ")
    assert "class id 1" in values["last error"]


def test_an_inference_thread_that_dies_becomes_an_error(graph):
    with graph.segmentation(OBEDIENT) as process:
        graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        graph.order(process, "die")
        camera.publish(image_message(graph.header()))
        assert "the inference thread has ended" in graph.wait_for_failure()
        assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED


def test_a_device_that_is_lost_becomes_an_error_and_can_be_configured_again(graph):
    with graph.segmentation(OBEDIENT) as process:
        graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        graph.order(process, "lose")
        camera.publish(image_message(graph.header()))
        assert "device is gone" in graph.wait_for_failure()
        assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED
        graph.wait_for_no_subscriber(camera)
        graph.order(process, "go")
        assert graph.change_state("configure")
        assert graph.change_state("activate")
        graph.wait(camera.get_subscription_count, "the subscription")
        answers(graph, graph.listen(graph.topic("segmentation/label")), camera)


def test_a_network_that_hangs_becomes_an_error_and_can_be_configured_again(graph):
    with graph.segmentation(OBEDIENT, watchdog_timeout=600.0) as process:
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        answers(graph, labels, camera)
        graph.order(process, "hold")
        at_work = process.said().count("at work")
        camera.publish(image_message(graph.header()))
        graph.wait(lambda: process.said().count("at work") > at_work, "the frame")
        assert graph.set_parameters(watchdog_timeout=0.5) == [""]
        assert graph.wait_for_failure().startswith("decoding, segmenting or publishing has taken")
        assert graph.state() == State.PRIMARY_STATE_UNCONFIGURED

        graph.wait_for_no_subscriber(camera)
        assert graph.set_parameters(watchdog_timeout=600.0) == [""]
        assert graph.change_state("configure")
        assert graph.change_state("activate")
        graph.wait(camera.get_subscription_count, "the subscription")
        labels = graph.listen(graph.topic("segmentation/label"))
        # Here the network that hung comes back: its late answer does no harm.
        graph.order(process, "go")
        for _ in range(2):
            answers(graph, labels, camera)
        assert graph.diagnose("model")[0].level == DiagnosticStatus.OK


# Other nodes


def test_a_subscriber_that_never_reads_slows_nobody_down(graph, tmp_path):
    graph.start()
    labels = graph.listen(graph.topic("segmentation/label"))
    script = (
        "import sys, time, rclpy; from sensor_msgs.msg import Image; rclpy.init();"
        "node = rclpy.create_node('sleeper');"
        "node.create_subscription(Image, sys.argv[1], print, 1000); time.sleep(3600)"
    )
    topic = graph.topic("segmentation/label")
    sleeper = subprocess.Popen([*DIES_WITH_THE_TESTS, sys.executable, "-c", script, topic])
    try:
        graph.wait(lambda: graph.node.count_subscribers(topic) == 2, "the one that sleeps")
        camera = graph.talk(graph.topic("image_raw"))
        for size in ((480, 640), (48, 64)):
            for _ in range(30):
                graph.answer(camera, image_message(graph.header(), size=size), labels)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_cameras_may_come_late_vanish_and_come_back(graph):
    with graph.segmentation(stale_after=0.3):
        labels = graph.listen(graph.topic("segmentation/label"))
        graph.settle(1.0)
        status, _ = graph.diagnose(graph.topic("image_raw"))
        assert status.level == DiagnosticStatus.STALE
        assert "no image yet" in status.message
        assert "nobody publishes it" in status.message
        for _ in range(3):
            camera = graph.talk(graph.topic("image_raw"))
            answers(graph, labels, camera)
            graph.node.destroy_publisher(camera)
            graph.wait(
                lambda: not graph.node.count_publishers(graph.topic("image_raw")), "it to be gone"
            )
        graph.settle(1.0)
        status, _ = graph.diagnose(graph.topic("image_raw"))
        assert status.level == DiagnosticStatus.STALE
        assert "no image for" in status.message


def test_a_second_node_of_the_same_name_is_warned_about(graph):
    with graph.segmentation(autostart=False):
        graph.start(autostart=False)
        warned = graph.wait(lambda: "other node(s)" in graph.diagnose("model")[0].message, "it")
        assert warned
        status, _ = graph.diagnose("model")
        assert status.level == DiagnosticStatus.WARN
        assert "1 other node(s) have the name of this one" in status.message


# Requests


def test_a_storm_of_parameters_leaves_good_values_and_a_node_that_segments(graph):
    with graph.segmentation(**{"mask_groups.flat": ["road"]}):
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        dice = random.Random(0)
        accepted, refused = [], []

        def storm() -> None:
            name, value = dice.choice(
                [
                    ("overlay_opacity", dice.uniform(-1, 2)),
                    ("min_confidence", dice.choice([0.0, 1.5])),
                    ("mask_groups__flat", [dice.choice(["road", "sky", "raod"])]),
                    ("label_resolution", dice.choice(["camera", "nowhere"])),
                    ("threads", dice.randint(1, 9)),
                    ("max_rate", "fast"),
                ]
            )
            (reason,) = graph.set_parameters(**{name: value})
            (refused if reason else accepted).append(name)

        for _ in range(20):
            for _ in range(10):
                storm()
            answers(graph, labels, camera)
        assert len(accepted) > 50
        assert len(refused) > 50
        assert set(accepted) == {
            "overlay_opacity",
            "min_confidence",
            "mask_groups__flat",
            "label_resolution",
        }
        assert 0 <= graph.get_parameter("overlay_opacity") <= 1
        assert graph.get_parameter("mask_groups.flat") in (["road"], ["sky"])
        assert graph.diagnose("model")[0].level == DiagnosticStatus.OK


def test_two_hundred_random_transitions_under_frames_leave_a_node_that_works(graph):
    name = {
        State.PRIMARY_STATE_UNCONFIGURED: "unconfigured",
        State.PRIMARY_STATE_INACTIVE: "inactive",
        State.PRIMARY_STATE_ACTIVE: "active",
    }
    table = {
        ("unconfigured", "configure"): "inactive",
        ("inactive", "activate"): "active",
        ("active", "deactivate"): "inactive",
        ("inactive", "cleanup"): "unconfigured",
    }
    dice = random.Random(1)
    with graph.segmentation(autostart=False, mask_classes=["road"]):
        camera = graph.node.create_publisher(Image, graph.topic("image_raw"), 10)
        state = "unconfigured"
        for _ in range(200):
            transition = dice.choice(["configure", "activate", "deactivate", "cleanup"])
            expected = table.get((state, transition))
            assert graph.change_state(transition) == (expected is not None)
            state = expected or state
            assert name[graph.state()] == state
            camera.publish(image_message(graph.header()))
        for transition in {"active": ["deactivate", "cleanup"], "inactive": ["cleanup"]}.get(
            state, []
        ):
            assert graph.change_state(transition)
        assert graph.change_state("configure")
        assert graph.change_state("activate")
        labels = graph.listen(graph.topic("segmentation/label"))
        graph.wait(camera.get_subscription_count, "the subscription")
        answers(graph, labels, camera)


# The process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("order", ["slow 0.3", "hang"])
def test_a_signal_in_the_middle_of_a_frame_ends_the_process_in_time(graph, number, order):
    process = graph.start(OBEDIENT)
    graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    graph.order(process, order)
    at_work = process.said().count("at work")
    camera.publish(image_message(graph.header()))
    graph.wait(lambda: process.said().count("at work") > at_work, "the frame")
    begin = time.monotonic()
    process.signal(number)
    code, output = process.end()
    assert time.monotonic() - begin < 10  # `ros2 launch` kills after so long
    assert code == 0, output
    assert "Traceback" not in output


def test_after_kill_9_a_new_process_takes_over(graph):
    for _ in range(2):
        process = graph.start()
        labels = graph.listen(graph.topic("segmentation/label"))
        camera = graph.talk(graph.topic("image_raw"))
        deadline = time.monotonic() + PATIENCE
        message = image_message(graph.header())
        while not any(label.header == message.header for label in labels):
            assert time.monotonic() < deadline
            camera.publish(message)  # some go to the subscription of the dead
            graph.settle(0.2)
        process.kill()
        graph.node.destroy_publisher(camera)


AUDITED = """
import os, sys
from hyperseg_ros.node import process, segmentation_node
opened = set()

def audit(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        note(os.fsdecode(arguments[0]))
    if event.startswith(("socket.", "subprocess.", "os.system", "urllib.")):
        note(event)

def note(name):
    if name not in opened:
        opened.add(name)
        os.write(1, f"OPENED {name}\\n".encode())

sys.addaudithook(audit)
"""


def test_the_node_opens_nothing_but_its_model(graph):
    process = graph.start(program("hyperseg_ros.node.main", AUDITED), backend="openvino")
    labels = graph.listen(graph.topic("segmentation/label"))
    camera = graph.talk(graph.topic("image_raw"))
    answers(graph, labels, camera)
    process.signal(signal.SIGINT)
    code, output = process.end()
    assert code == 0, output
    opened = re.findall(r"^OPENED (.*)$", output, re.MULTILINE)
    ours = [name for name in opened if not name.startswith((sys.prefix, sys.base_prefix))]
    code_files = (".py", ".pyc", ".so")
    ours = [name for name in ours if not name.endswith(code_files)]
    assert str(graph.model) in ours
    # Also the locks of shared memory, which tell whether somebody left some behind.
    allowed = (str(graph.model), str(default_folder()), "/proc/", "/sys/", "/dev/shm/fast")
    assert [name for name in ours if not name.startswith(allowed)] == []
