"""What the node says about the graph around it, in its terminal."""

from __future__ import annotations

import re

from node_process import program
from ros_graph import image_message
from sensor_msgs.msg import Image

from hyperseg_ros.node.graph_checks import _parameters, _sections


def test_a_node_without_images_says_what_it_waits_for_and_what_there_is(graph):
    other = graph.node.create_publisher(Image, f"{graph.namespace}/usb/image_raw", 10)
    process = graph.start(image_topics=["front/image_raw"])
    graph.wait(lambda: "no image yet" in process.said(), "the line")
    (line,) = [line for line in process.said().splitlines() if "no image yet" in line]
    topic = f"{graph.namespace}/front/image_raw"
    assert f"no image yet on {topic}: nobody publishes it" in line
    assert f"{other.topic_name} (sensor_msgs/msg/Image)" in line
    assert f"Parameters given to {graph.namespace}/segmentation: image_topics, " in line
    assert "parameters.yaml has parameters for /**" in line
    graph.node.destroy_publisher(other)


def test_a_node_that_has_had_images_says_nothing(graph):
    impatient = "from hyperseg_ros.node import graph_checks; graph_checks.SILENCE = 0.0"
    process = graph.start(program("hyperseg_ros.node.main", impatient))
    graph.wait(lambda: "no image yet" in process.said(), "the line, as long as there is none")
    labels = graph.listen(graph.topic("segmentation/label"))
    graph.answer(graph.talk(graph.topic("image_raw")), image_message(graph.header()), labels)
    for transition in ("deactivate", "activate"):  # from where it looks for images again
        assert graph.change_state(transition)
    graph.wait_for_pulses(2)
    assert process.said().count("no image yet") == 1


def test_a_simulation_without_a_clock_is_told_once(graph):
    process = graph.start(use_sim_time=True)
    graph.wait(lambda: "there is no time on /clock" in process.said(), "the line")
    graph.wait_for_pulses(3)
    assert process.said().count("there is no time on /clock") == 1
    assert "jumped by 0.000" not in process.said()


def test_another_publisher_of_the_labels_is_told(graph):
    process = graph.start()
    rival = graph.node.create_publisher(Image, graph.topic("segmentation/label"), 10)
    graph.wait(lambda: "two nodes segment this camera" in process.said(), "the line")
    status, _ = graph.diagnose("model")
    assert status.level == status.WARN
    assert re.search(r"/tester publishes .*/segmentation/label too", status.message)
    graph.node.destroy_publisher(rival)


def test_the_line_names_files_and_remappings(graph, tmp_path):
    file = tmp_path / "robot.yaml"
    file.write_text("/robot1:\n  segmentation:\n    ros__parameters: {threads: 1}\n")
    arguments = [
        "node",
        "--ros-args",
        "--params-file",
        str(file),
        "-r",
        "image:=/cam",
        "-r",
        "__ns:=/a",
    ]
    text = _parameters(graph.node, arguments)
    assert f"No parameter was given to {graph.node.get_fully_qualified_name()}" in text
    assert f"{file} has parameters for /robot1/segmentation" in text
    assert "remapped: image:=/cam" in text
    assert "__ns" not in text
    assert _sections(str(tmp_path / "missing.yaml")) == []
