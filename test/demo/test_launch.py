from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import models

pytestmark = pytest.mark.skipif(shutil.which("ros2") is None, reason="no ros2 command")


def launch(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ros2", "launch", "hyperseg_ros", "demo.launch.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        check=False,
    )


def test_the_launch_file_runs_the_demo_and_ends(tmp_path: Path) -> None:
    model = models.write_palette_model(tmp_path / "palette.onnx", input_size=(72, 96))
    ended = launch(
        *("frames:=8", "rate:=4.0", "size:=96x72", "seed:=5"),
        *(f"model:={model}", f"output:={tmp_path}"),
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = json.loads((tmp_path / "report.json").read_text())
    assert (figures["frames_in"], figures["source"]) == (8, "simulated street, seed 5")
    assert figures["frames_out"] > 0
    assert (tmp_path / "contact_sheet.png").is_file()


def test_a_source_that_cannot_be_ends_the_launch(tmp_path: Path) -> None:
    model = models.write_palette_model(tmp_path / "palette.onnx")
    ended = launch("source:=nowhere.mp4", f"model:={model}", f"output:={tmp_path}")
    assert ended.returncode != 0
    assert "no such file or folder: nowhere.mp4" in ended.stdout + ended.stderr
    assert not (tmp_path / "report.json").exists()
