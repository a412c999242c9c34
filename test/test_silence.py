"""Nothing here reports to anybody: sockets are watched while commands are imported and run.

An audit hook in each Python process, its children too, notes every look-up and connection to
another machine, whether or not there is a network.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import models
from hyperseg_ros import cli

ROOT = Path(__file__).parents[1]
WATCH = """
import os, socket, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        if event in ("socket.connect", "socket.sendto") and arguments[0].family == socket.AF_UNIX:
            return
        with open({log!r}, "a") as log:
            print(event, arguments[1:] if "." in event else arguments, sys.argv[:3], file=log)

sys.addaudithook(watch)
"""


@pytest.fixture
def run(tmp_path):
    """Runs Python, and gives what it wanted of the network, and its exit status."""
    (tmp_path / "watch").mkdir()
    log = tmp_path / "log"
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH.format(log=str(log)))

    def run_(*arguments: str) -> tuple[str, int]:
        path = os.pathsep.join([str(tmp_path / "watch"), str(ROOT), str(ROOT / "benchmarks")])
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": path, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        absent = r"No module named '(?!hyperseg_ros\.(?!msg'))|is not installed"
        missing = re.search(absent, done.stderr)
        if done.returncode and missing:
            pytest.skip(done.stderr.strip().splitlines()[-1])
        return log.read_text() if log.exists() else "", done.returncode

    return run_


def test_the_watch_sees_a_look_up_and_a_connection(run):
    program = (
        "import socket\n"
        "try: socket.create_connection(('127.0.0.1', 9), timeout=1)\n"
        "except OSError: pass\n"
    )
    seen, _ = run("-c", program)
    assert "socket.getaddrinfo" in seen
    assert "socket.connect" in seen


def test_openvino_has_no_telemetry_where_it_is_imported_from_here(run):
    pytest.importorskip("openvino")
    program = (
        "from hyperseg_ros.runtime.backends.silent_openvino import openvino\n"
        "import sys, threading\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
        "assert threading.active_count() == 1\n"
    )
    assert run("-c", program) == ("", 0)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_a_command_says_nothing_when_it_is_imported(run, command):
    module = cli.COMMANDS[command].module or f"hyperseg_ros.commands.{command}"
    assert run("-c", f"import {module}") == ("", 0)


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.stem)
def test_a_benchmark_says_nothing_when_it_is_imported(run, path):
    assert run("-c", f"import {path.stem}") == ("", 0)


@pytest.fixture
def model(tmp_path):
    return str(models.write_palette_model(tmp_path / "model.onnx"))


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_segmenting_and_measuring_say_nothing(run, model, tmp_path, backend):
    pytest.importorskip(backend)
    image = tmp_path / "street.png"
    cv2.imwrite(str(image), np.zeros((24, 32, 3), np.uint8))
    hyperseg = ("-m", "hyperseg_ros.cli")
    assert run(*hyperseg, "segment", model, str(image), "--backend", backend) == ("", 0)
    assert run(*hyperseg, "benchmark", model, "--frames", "2", "--backend", backend) == ("", 0)


def test_checking_and_a_training_step_say_nothing(run, tmp_path):
    pytest.importorskip("torch")
    hyperseg = ("-m", "hyperseg_ros.cli")
    data = tmp_path / "data"
    for folder in ("images", "labels"):
        (data / "train" / folder).mkdir(parents=True)
    (data / "classes.yaml").write_text("classes:\n  - {name: road, color: [128, 64, 128]}\n")
    for number in range(2):
        image = np.full((64, 64, 3), 100 * number, np.uint8)
        cv2.imwrite(str(data / "train" / "images" / f"{number}.png"), image)
        cv2.imwrite(str(data / "train" / "labels" / f"{number}.png"), image[..., 0] * 0)
    check = ("check", "folder", "--root", str(data), "--split", "train")
    assert run(*hyperseg, *check) == ("", 1)  # one class is a problem
    step = ("--train", "hyperseg-s-lite0", "--batch", "2", "--size", "64x64", "--steps", "1")
    assert run(*hyperseg, "benchmark", *step) == ("", 0)
