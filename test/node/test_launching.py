"""What the launch files decide, also where `launch` is not installed."""

from __future__ import annotations

import pytest

from hyperseg_ros.node.launching import (
    check_arguments,
    check_file,
    parse_topics,
    rviz_remappings,
)

FILE = "/opt/share/hyperseg_ros/launch/segment.launch.py"
KNOWN = ("image_topics", "model", "params_file")


def command(*arguments: str, file: str = "segment.launch.py") -> list[str]:
    return ["/opt/bin/ros2", "launch", "hyperseg_ros", file, *arguments]


def test_an_argument_that_a_launch_file_has_not_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="has no argument 'image_topic': did you mean 'image_to"):
        check_arguments(FILE, KNOWN, command("model:=a.onnx", "image_topic:=/front/image"))
    with pytest.raises(ValueError, match="has no argument 'zzz': It has image_topics, model, para"):
        check_arguments(FILE, KNOWN, command("zzz:=1", file=FILE))


@pytest.mark.parametrize(
    "given",
    [
        command("image_topics:=/a:=b", "params_file:=~/robot.yaml"),
        command("launch-prefix:=gdb"),
        command("--show-args"),
        command("robot:=7", file="bringup.launch.py"),  # which includes ours
        [],
    ],
)
def test_arguments_that_it_has_and_those_of_others_are_left_alone(given):
    check_arguments(FILE, KNOWN, given)


def test_a_file_that_is_not_there_is_refused(tmp_path, monkeypatch):
    (tmp_path / "robot.yaml").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_file("params_file", "~/robot.yaml") == str(tmp_path / "robot.yaml")
    with pytest.raises(ValueError, match=r"params_file: there is no file ~/rob\.yaml"):
        check_file("params_file", "~/rob.yaml")


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("", []),
        ("/a/image", ["/a/image"]),
        ("a/image, /b/image,", ["a/image", "/b/image"]),
        ("[a/image, /b/image]", ["a/image", "/b/image"]),
        (' ["/a/image"]', ["/a/image"]),
    ],
)
def test_topics_are_written_in_either_way(text, topics):
    assert parse_topics(text) == topics


@pytest.mark.parametrize("text", ["[a, b", "a b", "[a: b]"])
def test_what_is_no_list_of_topics_is_refused(text):
    with pytest.raises(ValueError, match="is neither a,b nor"):
        parse_topics(text)


@pytest.mark.parametrize(
    ("namespace", "topics", "image", "label"),
    [
        ("", [], "/camera/image_raw", "/camera/segmentation/overlay"),
        ("/robot", ["front/image"], "/robot/front/image", "/robot/front/segmentation/overlay"),
        ("robot", ["/rear/image/compressed"], "/rear/image", "/rear/segmentation/overlay"),
    ],
)
def test_rviz_shows_the_first_camera(namespace, topics, image, label):
    remappings = dict(rviz_remappings(namespace, topics))
    assert remappings["/camera/image_raw"] == image
    assert remappings["/camera/segmentation/overlay"] == label
