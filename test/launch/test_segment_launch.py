"""`ros2 launch hyperseg_ros segment.launch.py`, where ros2 launch is installed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import models

pytest.importorskip("launch_ros")
pytest.importorskip("ros2launch")

import rclpy  # after the checks: ros2 launch comes with rclpy
from ros_graph import PATIENCE, Graph, image_message, pixels_of

from hyperseg_ros.runtime import Segmenter


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Graph]:
    if not rclpy.ok():  # the tests of other layers may have done it
        rclpy.init()
    node = rclpy.create_node("tester", namespace="/launched")
    yield Graph(node, models.write_palette_model(tmp_path / "palette.onnx"))
    node.destroy_node()


@pytest.fixture
def launch(graph: Graph, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Launches with arguments, in a process group of its own like a terminal's."""
    processes = []
    log = tmp_path / "log.txt"

    def start(**arguments: str) -> subprocess.Popen[bytes]:
        values = {"model": str(graph.model), "namespace": "launched", **arguments}
        command = ["ros2", "launch", "hyperseg_ros", "segment.launch.py"]
        command += [f"{name}:={value}" for name, value in values.items()]
        with log.open("w") as sink:
            processes.append(
                subprocess.Popen(
                    command, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
                )
            )
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    print(log.read_text())


def segments(graph: Graph, image_topic: str, label_topic: str) -> None:
    labels = graph.listen(label_topic)
    camera = graph.talk(image_topic)
    message = image_message(graph.header())
    # The subscription is best effort: what is lost is sent again.
    deadline = time.monotonic() + PATIENCE
    while not labels and time.monotonic() < deadline:
        camera.publish(message)
        graph.settle(0.2)
    assert labels[0].header == message.header
    with Segmenter.open(graph.model) as segmenter:
        assert labels[0].data.tobytes() == segmenter(pixels_of(message)).labels.tobytes()


def test_without_topics_those_of_the_parameter_file_are_segmented(graph, launch, tmp_path):
    process = launch()
    segments(graph, "/launched/camera/image_raw", "/launched/camera/segmentation/label")
    os.killpg(process.pid, signal.SIGINT)  # Ctrl-C: launch and the node get it both
    assert process.wait(PATIENCE) == 0
    said = (tmp_path / "log.txt").read_text()
    assert "process has finished cleanly" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("text", ["front/image,/rear/image", "[front/image, /rear/image]"])
def test_several_topics(graph, launch, text):
    launch(image_topics=text)
    segments(graph, "/launched/front/image", "/launched/front/segmentation/label")
    segments(graph, "/rear/image", "/rear/segmentation/label")


def test_arguments_go_before_the_parameter_file(graph, launch, tmp_path):
    (tmp_path / "robot.yaml").write_text(
        "/**:\n  ros__parameters:\n    image_topics: [left/image]\n    model: nowhere.onnx\n"
        "    mask_classes: [road]\n"
    )
    launch(params_file=str(tmp_path / "robot.yaml"))
    segments(graph, "/launched/left/image", "/launched/left/segmentation/label")
    topics = dict(graph.node.get_topic_names_and_types())
    masks = [name for name in topics if name.startswith("/launched/left/segmentation/mask/")]
    assert masks == [
        "/launched/left/segmentation/mask/road",
        "/launched/left/segmentation/mask/road/compressed",
    ]


def test_without_autostart_it_waits_for_its_manager(graph, launch):
    launch(autostart="false")
    graph.wait(lambda: ("segmentation", "/launched") in names(graph), "the node")
    graph.settle(0.5)
    assert not graph.node.count_publishers("/launched/camera/segmentation/label")


def names(graph: Graph) -> list[tuple[str, str]]:
    return graph.node.get_node_names_and_namespaces()


STARTED = re.compile(r"process started with pid \[(\d+)\]")


def test_a_node_that_is_killed_comes_back_to_active(graph, launch, tmp_path):
    launch()
    segments(graph, "/launched/camera/image_raw", "/launched/camera/segmentation/label")

    def started() -> list[str]:
        return STARTED.findall((tmp_path / "log.txt").read_text())

    os.kill(int(started()[0]), signal.SIGKILL)
    graph.wait(lambda: len(started()) == 2, "the new process")
    segments(graph, "/launched/camera/image_raw", "/launched/camera/segmentation/label")


def test_without_respawn_it_stays_dead(graph, launch, tmp_path):
    process = launch(respawn="false")
    log = tmp_path / "log.txt"
    (started,) = graph.wait(lambda: STARTED.findall(log.read_text()), "the node")
    os.kill(int(started), signal.SIGKILL)
    process.wait(PATIENCE)
    assert STARTED.findall(log.read_text()) == [started]


def test_wrong_parameters_end_it_with_their_one_message(launch, tmp_path):
    (tmp_path / "robot.yaml").write_text("/**:\n  ros__parameters:\n    modle: street.onnx\n")
    process = launch(params_file=str(tmp_path / "robot.yaml"))
    process.wait(PATIENCE)
    said = (tmp_path / "log.txt").read_text()
    assert said.count("no parameter 'modle': did you mean 'model'?") == 1
    assert len(STARTED.findall(said)) == 1


def test_the_viewer_shows_the_cameras_that_are_segmented(launch, tmp_path):
    process = launch(viewer="true", image_topics="front/image", viewer_host="127.0.0.2")
    log = tmp_path / "log.txt"
    deadline = time.monotonic() + PATIENCE
    while "the viewer is at" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    with urllib.request.urlopen("http://127.0.0.2:8090/", timeout=PATIENCE) as page:
        assert b"<title>hyperseg viewer</title>" in page.read()
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    assert "Traceback" not in log.read_text()
