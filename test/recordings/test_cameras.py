"""Which image topics of a recording are cameras."""

from __future__ import annotations

import bags
import cv2
import numpy as np
import pytest

import models
from hyperseg_ros import cli
from hyperseg_ros.recordings.cameras import choose_cameras
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.reading import Recording
from hyperseg_ros.simulation import StreetCamera


def label_map(size=(48, 64)):
    """Class ids of a street: sky, buildings, road."""
    ids = np.zeros(size, np.uint8)
    ids[10:30, :20] = 1
    ids[25:] = 3
    ids[30:40, 30:40] = 255
    return ids


def dark(seed):
    """What a camera under its cap sends."""
    return np.random.default_rng(seed).choice(np.array([0, 1], np.uint8), (48, 64), p=[0.97, 0.03])


def messages(topic, *images, encoding="mono8"):
    times = [bags.START + index * bags.PERIOD for index in range(len(images))]
    return [
        (topic, bags.IMAGE, time, bags.image(image, time, encoding))
        for time, image in zip(times, images)
    ]


def chosen(tmp_path, *streams):
    found = [message for stream in streams for message in stream]
    source = bags.write(tmp_path / "drive", sorted(found, key=lambda message: message[2]))
    with Recording(source) as recording:
        choice = choose_cameras(recording)
    return [camera.image for camera in choice.cameras], dict(choice.left_out)


def test_labels_depth_and_outputs_of_a_node_are_no_cameras(tmp_path):
    distances = np.zeros((48, 64), np.uint16)
    colors = cv2.applyColorMap(label_map() * 30, cv2.COLORMAP_JET)

    cameras, left_out = chosen(
        tmp_path,
        bags.frames(4),
        messages("/front/ground_truth", *[label_map()] * 4),
        messages("/truths/ids", *[label_map()] * 4, encoding="8UC1"),
        messages("/semantic_front/image", *[colors] * 4, encoding="bgr8"),
        messages("/depth/image_raw", *[distances] * 4, encoding="16UC1"),
        messages("/rear/segmentation/label", *[label_map()] * 4),
    )

    assert cameras == ["/front/image_raw"]
    assert left_out == {
        "/front/ground_truth": "labels or masks",
        "/truths/ids": "labels or masks",
        "/semantic_front/image": "labels or masks",
        "/depth/image_raw": "distances, 16UC1",
        "/rear/segmentation/label": "from a segmentation node",
    }


def test_cameras_with_little_to_see_are_cameras_still(tmp_path):
    street = StreetCamera(1, 64, 48).frame(0).image
    grey = cv2.cvtColor(street, cv2.COLOR_BGR2GRAY)
    covered = [dark(1), dark(2), dark(3), grey]
    black = [np.zeros((48, 64), np.uint8)] * 4

    cameras, left_out = chosen(
        tmp_path,
        messages("/a/image_raw", *covered),
        messages("/b/image_raw", *black),
        messages("/label_camera/image_raw", *[street] * 4, encoding="bgr8"),
        messages("/thermal/image_raw", *[grey] * 4),
    )

    assert cameras == [
        "/a/image_raw",
        "/b/image_raw",
        "/label_camera/image_raw",
        "/thermal/image_raw",
    ]
    assert left_out == {}


def test_exact_labels_of_a_simulated_street_are_seen_as_labels_and_its_images_are_not(tmp_path):
    frames = [StreetCamera(seed, 320, 240).frame(40) for seed in range(4)]

    cameras, left_out = chosen(
        tmp_path,
        messages("/front/image_raw", *[frame.image for frame in frames], encoding="bgr8"),
        messages("/front/truth", *[frame.labels for frame in frames]),
    )

    assert cameras == ["/front/image_raw"]
    assert left_out == {"/front/truth": "labels or masks"}


def test_where_nothing_is_left_all_are_told(tmp_path):
    with pytest.raises(RecordingError, match=r"has no camera: .*/front/ids \(labels or masks\)"):
        chosen(tmp_path, messages("/front/ids", *[label_map()] * 2))


@pytest.mark.parametrize("command", ["select", "segment"])
def test_the_commands_say_what_they_left_out_and_how_to_name_it(tmp_path, capsys, command):
    model = str(models.write_palette_model(tmp_path / "palette.onnx", input_size=(48, 64)))
    labels = messages("/front/ground_truth", *[label_map()] * 6)
    source = str(bags.write(tmp_path / "drive", [*bags.frames(6), *labels]))
    output = ["--output", str(tmp_path / "out")]
    words = {
        "select": [source, "--model", model, "--count", "2", "--interval", "0", "--apart", "0"],
        "segment": [model, source],
    }[command]

    assert cli.main([command, *words, *output]) == 0

    said = capsys.readouterr().out
    assert "not taken for cameras: /front/ground_truth (labels or masks)" in said
    assert "name it among all with --topics" in said


def test_a_topic_that_is_named_is_taken(tmp_path):
    source = bags.write(tmp_path / "drive", messages("/front/ids", *[label_map()] * 2))
    with Recording(source) as recording:
        choice = choose_cameras(recording, ["/front/ids"])
    assert [camera.image for camera in choice.cameras] == ["/front/ids"]
    assert choice.left_out == {}
