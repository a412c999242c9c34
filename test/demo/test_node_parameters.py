from __future__ import annotations

from pathlib import Path

import pytest

import models
from hyperseg_ros.demo.node_parameters import IMAGE_TOPIC, node_parameters
from hyperseg_ros.demo.options import parse_arguments
from hyperseg_ros.simulation import Mount


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file; what it answers does not matter here."""
    return models.write_palette_model(tmp_path_factory.mktemp("model") / "palette.onnx")


def test_options_become_parameters(model: Path) -> None:
    options = parse_arguments(
        ["drive.mp4", "--size", "320x240", "--seed", "3", "--model", str(model)]
    )
    parameters = node_parameters(options, live=False)
    assert parameters["demo_camera"] == {
        "source": "drive.mp4",
        "model": str(model),
        "frames": 300,
        "rate": 0.0,
        "width": 320,
        "height": 240,
        "seed": 3,
        "subscribers": 2,
        "wait_for_labels": True,
    }
    assert "viewer" not in parameters
    assert {entry["model"] for entry in parameters.values()} == {str(model)}


def test_the_node_is_told_where_the_camera_is(model: Path) -> None:
    options = parse_arguments(["--model", str(model)])
    mounted = node_parameters(options, live=False, mount=Mount(1.3, 0.0, 0.05, -0.02))
    assert mounted["segmentation_node"]["mount"] == {IMAGE_TOPIC: [0.0, 0.0, 1.3, 0.0, 0.05, -0.02]}
    assert "mount" not in node_parameters(options, live=False)["segmentation_node"]


def test_a_rate_and_a_device_have_a_time_of_their_own(model: Path) -> None:
    for arguments, live in (([], True), (["--rate", "5"], False)):
        options = parse_arguments([*arguments, "--model", str(model)])
        assert node_parameters(options, live)["demo_camera"]["wait_for_labels"] is False


def test_who_looks_decides_when_it_is_over(model: Path) -> None:
    options = parse_arguments(["--view", "--model", str(model)])
    assert options.frames == 0
    assert node_parameters(options, live=False)["viewer"] == {"image_topics": [IMAGE_TOPIC]}
    assert parse_arguments(["--view", "--frames", "20"]).frames == 20
    assert parse_arguments([]).frames == 300
