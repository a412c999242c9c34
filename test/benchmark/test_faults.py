from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import models

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "faults.py"


def test_a_row_says_what_a_healthy_consumer_sees(tmp_path):
    model = models.write_palette_model(tmp_path / "palette.onnx")
    only = ["--seconds", "4", "--only", "broken-frames", "--", "-p", f"model:={model}"]
    ended = subprocess.run([sys.executable, SCRIPT, *only], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    load, name, *figures = re.split(r" {2,}", ended.stdout.splitlines()[-1])
    sent, lost, gap, before, after, _ = map(float, " ".join(figures).split())
    assert (load, name) == ("1 x 5 Hz", "broken-frames")
    assert 1 <= sent <= 12  # every second frame is broken
    assert 0 <= lost <= sent
    assert 0.2 < gap <= 6
    assert 20 < after < 1.5 * before
