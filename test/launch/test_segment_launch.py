"""`ros2 launch hyperseg_ros segment.launch.py`, where ros2 launch is installed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)
from node_process import PATIENCE
from rclpy.qos import qos_profile_sensor_data
from ros_graph import RELIABLE, Graph, image_message, pixels_of

from hyperseg_ros.node.fastdds_profile import FASTDDS, FASTRTPS, FILES, installed_version

FILE = "segment.launch.py"
NAME = {2: FASTRTPS, 3: FASTDDS}
"""What names a profile, by Fast DDS's version."""
STARTED = re.compile(r"process started with pid \[(\d+)\]")


@pytest.fixture
def segment(launch: Callable[..., Any], graph: Graph) -> Callable[..., Any]:
    """Launches the node in the graph's namespace, with the model whose answers are known."""

    def start(**arguments: Any) -> Any:
        values = {"model": graph.model, "namespace": graph.namespace, **arguments}
        return launch(FILE, **values)

    return start


def segments(graph: Graph, image_topic: str, label_topic: str) -> None:
    labels = graph.listen(label_topic)
    camera = graph.talk(image_topic)
    message = image_message(graph.header())
    label = graph.answer(camera, message, labels)
    assert label.data.tobytes() == graph.expected(pixels_of(message)).tobytes()


def test_without_topics_those_of_the_parameter_file_are_segmented(graph, segment):
    process = segment()
    segments(graph, graph.topic("image_raw"), graph.topic("segmentation/label"))
    process.interrupt()
    code, said = process.end()
    assert code == 0
    assert "process has finished cleanly" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("text", ["front/image,/rear/image", "[front/image, /rear/image]"])
def test_several_topics(graph, segment, text):
    segment(image_topics=text)
    front = f"{graph.namespace}/front"
    segments(graph, f"{front}/image", f"{front}/segmentation/label")
    segments(graph, "/rear/image", "/rear/segmentation/label")


def test_arguments_go_before_the_parameter_file(graph, segment, tmp_path):
    (tmp_path / "robot.yaml").write_text(
        "/**:\n  ros__parameters:\n    image_topics: [left/image]\n    model: nowhere.onnx\n"
        "    mask_classes: [road]\n"
    )
    segment(params_file=tmp_path / "robot.yaml")
    left = f"{graph.namespace}/left"
    segments(graph, f"{left}/image", f"{left}/segmentation/label")
    topics = dict(graph.node.get_topic_names_and_types())
    masks = [name for name in topics if name.startswith(f"{left}/segmentation/mask/")]
    assert masks == [f"{left}/segmentation/mask/road{end}" for end in ("", "/compressed")]


def test_without_autostart_it_waits_for_its_manager(graph, segment):
    segment(autostart="false")
    assert graph.state() == 1  # unconfigured
    assert not graph.node.count_publishers(graph.topic("segmentation/label"))
    assert graph.change_state("configure")


def test_time_may_be_that_of_a_simulation(graph, segment):
    segment(use_sim_time="true")
    assert graph.get_parameter("use_sim_time") is True


def test_a_node_that_is_killed_comes_back_to_active(graph, segment):
    process = segment()
    segments(graph, graph.topic("image_raw"), graph.topic("segmentation/label"))
    (first,) = STARTED.findall(process.said())
    os.kill(int(first), signal.SIGKILL)
    graph.wait(lambda: len(STARTED.findall(process.said())) == 2, "the new process")
    segments(graph, graph.topic("image_raw"), graph.topic("segmentation/label"))


def test_without_respawn_it_stays_dead(graph, segment):
    process = segment(respawn="false")
    (started,) = graph.wait(lambda: STARTED.findall(process.said()), "the node")
    os.kill(int(started), signal.SIGKILL)
    _, said = process.end()
    assert STARTED.findall(said) == [started]


def test_wrong_parameters_end_it_with_their_one_message_and_an_error(segment, tmp_path):
    (tmp_path / "robot.yaml").write_text("/**:\n  ros__parameters:\n    modle: street.onnx\n")
    code, said = segment(params_file=tmp_path / "robot.yaml").end()
    assert code != 0
    assert said.count("no parameter 'modle': did you mean 'model'?") == 1
    assert len(STARTED.findall(said)) == 1
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"image_topic": "/a"}, "no argument 'image_topic': did you mean 'image_topics'?"),
        ({"params_file": "/no/robot.yaml"}, "params_file: there is no file /no/robot.yaml"),
        ({"image_topics": "[a, b"}, "'[a, b' is neither a,b nor [a, b]"),
        ({"autostart": "yes"}, "autostart"),
        ({"fastdds_profile": "/no/dds.xml"}, "fastdds_profile: there is no file /no/dds.xml"),
    ],
)
def test_arguments_that_cannot_be_are_an_error_before_anything_starts(segment, arguments, reason):
    code, said = segment(**arguments).end()
    assert code != 0
    assert reason in said
    assert STARTED.findall(said) == []


def test_rviz_that_is_not_installed_is_a_line(graph, segment):
    with contextlib.suppress(PackageNotFoundError):
        get_package_prefix("rviz2")
        pytest.skip("rviz2 is installed here")
    process = segment(rviz="true")
    segments(graph, graph.topic("image_raw"), graph.topic("segmentation/label"))
    assert "rviz2 is not installed" in process.said()


def test_the_viewer_shows_the_cameras_that_are_segmented(graph, segment):
    host = f"127.1.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # another run has the port too
    process = segment(viewer="true", image_topics="front/image", viewer_host=host)
    graph.wait(lambda: "the viewer is at" in process.said(), "the viewer")
    with urllib.request.urlopen(f"http://{host}:8090/", timeout=PATIENCE) as page:
        assert b"<title>hyperseg viewer</title>" in page.read()
    process.interrupt()
    code, said = process.end()
    assert code == 0
    assert "Traceback" not in said


def environment_of(process: Any, graph: Graph) -> dict[str, str]:
    """What the node's process was started with."""
    (started,) = graph.wait(lambda: STARTED.findall(process.said()), "the node")
    pairs = Path(f"/proc/{started}/environ").read_text().split("\0")
    return dict(pair.partition("=")[::2] for pair in pairs if pair)


def test_fast_dds_has_shared_memory_for_images_and_peers_without_it_get_them(
    graph, segment, monkeypatch
):
    for name in (*NAME.values(), "FASTDDS_BUILTIN_TRANSPORTS"):
        monkeypatch.delenv(name, raising=False)  # the tester's own Fast DDS has no profile
    process = segment()
    version = installed_version()
    file = Path(get_package_share_directory("hyperseg_ros"), "config", FILES[version])
    environment = environment_of(process, graph)
    assert environment[NAME[version]] == str(file)
    assert {name for name in NAME.values() if name in environment} == {NAME[version]}
    labels = [
        graph.listen(graph.topic("segmentation/label"), qos=qos)
        for qos in (RELIABLE, qos_profile_sensor_data)
    ]
    camera = graph.talk(graph.topic("image_raw"))
    message = image_message(graph.header(), size=(480, 640))
    for received in labels:
        label = graph.answer(camera, message, received)
        assert label.data.tobytes() == graph.expected(pixels_of(message)).tobytes()
    (started,) = STARTED.findall(process.said())
    lines = Path(f"/proc/{started}/maps").read_text().splitlines()
    segments = {line.split()[-1] for line in lines if "/dev/shm/fast" in line}
    assert max(Path(segment).stat().st_size for segment in segments) > 64 << 20
    assert process.said().count("Fast DDS profile: ") == 1
    assert f"Fast DDS profile: {file} (fastdds_profile: a file, or none)" in process.said()
    assert "XMLPARSER" not in process.said()


def test_a_node_that_starts_again_has_the_profile_again(graph, segment):
    process = segment()
    first = environment_of(process, graph)
    segments(graph, graph.topic("image_raw"), graph.topic("segmentation/label"))
    os.kill(int(STARTED.findall(process.said())[0]), signal.SIGKILL)
    graph.wait(lambda: len(STARTED.findall(process.said())) == 2, "the new process")
    pairs = Path(f"/proc/{STARTED.findall(process.said())[1]}/environ").read_text().split("\0")
    assert f"{NAME[installed_version()]}={first[NAME[installed_version()]]}" in pairs


def test_no_profile_is_set_where_none_is_asked_for(graph, segment):
    process = segment(fastdds_profile="none")
    assert NAME[installed_version()] not in environment_of(process, graph)
    assert "Fast DDS profile: none is set, as asked" in process.said()


def test_the_users_profile_goes_before_ours(graph, segment, monkeypatch):
    mine = str(Path(get_package_share_directory("hyperseg_ros"), "config", "fastdds_local.xml"))
    mine = mine.replace("fastdds_", {2: "fastdds_", 3: "fastdds3_"}[installed_version()])
    variable = NAME[installed_version()]
    monkeypatch.setenv(variable, mine)
    process = segment()
    assert environment_of(process, graph)[variable] == mine
    assert f"Fast DDS profile: {mine} of {variable}" in process.said()


def test_under_another_middleware_the_profile_is_no_news(graph, segment, monkeypatch):
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_another_cpp")
    process = segment(respawn="false")
    process.end()  # it is not installed
    assert "Fast DDS profile" not in process.said()
