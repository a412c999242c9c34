"""`ros2 launch hyperseg_ros demo.launch.py`, where ros2 launch is installed."""

from __future__ import annotations

import json
from pathlib import Path

import models

FILE = "demo.launch.py"


def test_it_runs_the_demo_and_ends(launch, tmp_path: Path) -> None:
    model = models.write_palette_model(tmp_path / "palette.onnx", input_size=(72, 96))
    drive = {"frames": 8, "rate": 4.0, "size": "96x72", "seed": 5}
    code, said = launch(FILE, **drive, model=model, output=tmp_path).end()
    assert code == 0, said
    assert said.count("Fast DDS profile: ") == 1
    figures = json.loads((tmp_path / "report.json").read_text())
    assert (figures["frames_in"], figures["source"]) == (8, "simulated street, seed 5")
    assert figures["frames_out"] > 0
    assert (tmp_path / "contact_sheet.png").is_file()


def test_a_source_that_cannot_be_ends_it_with_an_error(launch, tmp_path: Path) -> None:
    model = models.write_palette_model(tmp_path / "palette.onnx")
    code, said = launch(FILE, source="nowhere.mp4", model=model, output=tmp_path).end()
    assert code != 0
    assert "no such file or folder: nowhere.mp4" in said
    assert not (tmp_path / "report.json").exists()


def test_an_argument_that_it_has_not_is_refused_with_the_nearest(launch) -> None:
    code, said = launch(FILE, frame=8).end()
    assert code != 0
    assert "no argument 'frame': did you mean 'frames'?" in said
