from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

import models
from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.demo.contact_sheet import IMAGE_WIDTH, Layout
from hyperseg_ros.demo.environment import ros_environment
from hyperseg_ros.demo.processes import NodeProcess, ProcessError
from hyperseg_ros.demo.sources import DEFAULT_RATE
from hyperseg_ros.simulation import StreetCamera

SIZE = HEIGHT, WIDTH = 72, 96
FRAMES = 16
PATIENCE = 240.0
"""Seconds until a demo has begun or ended, all of its processes, on a machine under heavy load."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the size of the images: what it answers is known to the byte."""
    path = tmp_path_factory.mktemp("model") / "palette.onnx"
    return models.write_palette_model(path, input_size=SIZE)


def demo(*arguments: object) -> subprocess.Popen[str]:
    # From /, so that not the checkout, which has no messages, but the installed package is found.
    return subprocess.Popen(
        [sys.executable, "-m", "hyperseg_ros.demo", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def simulated_miou(seed: int) -> float:
    """What the demo must find: mean over classes of the intersection over union of all frames."""
    camera = StreetCamera(seed=seed, width=WIDTH, height=HEIGHT, frame_rate=DEFAULT_RATE)
    frames = [camera.frame(index) for index in range(FRAMES)]
    truth = np.stack([frame.labels for frame in frames])
    labels, _ = models.expected(np.stack([frame.image for frame in frames]))
    labels = np.where(truth == UNLABELLED, UNLABELLED, labels)
    unions = [((truth == i) | (labels == i)).sum() for i in range(len(CAMVID))]
    intersections = [((truth == i) & (labels == i)).sum() for i in range(len(CAMVID))]
    return float(np.mean([i / u for i, u in zip(intersections, unions) if u]))


def test_the_demo_segments_a_simulated_drive(model: Path, tmp_path: Path) -> None:
    """Without a rate it has the machine's pace, and drops nothing."""
    process = demo(
        *("--frames", FRAMES, "--size", f"{WIDTH}x{HEIGHT}", "--seed", 5),
        *("--model", model, "--output", tmp_path),
    )
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors

    figures = json.loads((tmp_path / "report.json").read_text())
    assert (figures["frames_in"], figures["frames_out"], figures["dropped"]) == (FRAMES, FRAMES, 0)
    assert figures["source"] == "simulated street, seed 5"
    assert figures["model"] == "nearest-colour"
    assert figures["inference_ms"] > 0
    assert 0 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["maximum"]
    assert sum(result["share"] for result in figures["classes"]) == pytest.approx(1)
    assert figures["seconds"] > (FRAMES - 2) / DEFAULT_RATE
    miou = simulated_miou(seed=5)
    assert figures["miou"] == pytest.approx(miou, abs=1e-12)
    assert f"{miou:.2%}" in output
    assert f"{FRAMES} in, {FRAMES} out, 0 dropped" in output
    assert output.count("Fast DDS profile: ") == 1

    video = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_WIDTH) == WIDTH
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    sheet = cv2.imread(str(tmp_path / "contact_sheet.png"))
    assert sheet.shape[1] == Layout(4, IMAGE_WIDTH, 1, columns=4).width  # free space came too


def test_the_demo_can_be_seen_in_the_browser(model: Path, tmp_path: Path) -> None:
    process = demo(
        *("--view", "--rate", 4, "--size", f"{WIDTH}x{HEIGHT}"),
        *("--model", model, "--output", tmp_path),
    )
    # The port may be another viewer's: then this one says so, and waits.
    line = next(filter(lambda text: "8090" in text, process.stderr))
    assert "viewer is at http://localhost:8090" in line or "port 8090" in line
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


def test_an_interrupted_demo_keeps_what_it_has(model: Path, tmp_path: Path) -> None:
    process = demo(
        *("--frames", 0, "--rate", 4, "--size", f"{WIDTH}x{HEIGHT}"),
        *("--model", model, "--output", tmp_path),
    )
    deadline = time.monotonic() + PATIENCE
    while not list(tmp_path.glob(".overlay.*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert (tmp_path / "contact_sheet.png").is_file()
    assert json.loads((tmp_path / "report.json").read_text())["frames_out"] > 0


def test_a_node_that_cannot_start_ends_the_demo_with_its_reason(
    model: Path, tmp_path: Path
) -> None:
    broken = models.with_an_operator_of_somebody_else(onnx.load(model))
    onnx.save(broken, tmp_path / "broken.onnx")
    process = demo("--model", tmp_path / "broken.onnx", "--output", tmp_path)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "TheirOperator" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere.mp4"], "no such file or folder: nowhere.mp4"),
        (["/dev/video99"], "no such device: /dev/video99"),
        (["--model", "nowhere.onnx"], "nowhere.onnx"),
        (["--size", "64by48"], "'64by48' is not like 640x480"),
        (["--size", "0x48"], "'0x48' is not like 640x480"),
        (["--frames", "-1"], "-1 is below 0"),
        (["--rate", "0"], "rate must be above 0"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(
    model: Path, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    process = demo("--model", model, "--output", tmp_path / "output", *arguments)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert reason in errors.splitlines()[-1]
    assert not (tmp_path / "output").exists()


def test_a_process_that_fails_gives_its_reason(model: Path, tmp_path: Path) -> None:
    camera = NodeProcess(
        "demo_camera",
        "/camera",
        {"source": "/dev/video99", "model": str(model)},
        tmp_path,
        os.environ,
        quiet=True,
    )
    with camera:
        assert camera.wait(PATIENCE)
        with pytest.raises(ProcessError, match="exit status 2: no such device: /dev/video99"):
            camera.ended()


def test_a_process_ends_with_its_context(model: Path, tmp_path: Path) -> None:
    parameters = {"model": str(model), "subscribers": 1}
    with NodeProcess(
        "demo_camera", "/camera", parameters, tmp_path, os.environ, quiet=True
    ) as camera:
        assert not camera.wait(1)
    assert camera.wait(0)


def test_the_demo_has_a_graph_of_its_own() -> None:
    with ros_environment({"PATH": "p"}) as first, ros_environment({"PATH": "p"}) as second:
        assert first["ROS_DOMAIN_ID"] != second["ROS_DOMAIN_ID"]
        assert 1 <= int(first["ROS_DOMAIN_ID"]) <= 101
        assert first["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
        assert first["PATH"] == "p"
    with ros_environment({"ROS_DISTRO": "humble"}) as humble:
        assert humble["ROS_LOCALHOST_ONLY"] == "1"


def test_a_domain_that_is_set_is_used() -> None:
    environment = {"ROS_DOMAIN_ID": "7", "ROS_LOCALHOST_ONLY": "0"}
    with ros_environment(environment) as joined:
        assert joined == environment
