"""The benchmark of the node, whose soak is a test too."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy")

from hyperseg_ros.benchmark.node import BASE, objections
from hyperseg_ros.benchmark.rig import Load, Outcome, Rig

COMMAND = [sys.executable, "-m", "hyperseg_ros.cli", "benchmark", "--node"]
LOAD = Load(cameras=4, rate=30.0, size=(480, 640), inference_ms=50.0)


def outcome(**changes: object) -> Outcome:
    values = {
        "frames": (50, 50, 50, 50),
        "arrival_ms": np.full(200, 240.0),
        "published_ms": (200.0, 240.0),
        "bad": 0,
        "memory_mb": (300.0, 303.0),
    }
    return Outcome(**{**values, **changes})


def test_a_minute_of_overload_leaves_memory_flat_and_labels_young():
    ended = subprocess.run(
        [*COMMAND, "--soak", "1"], capture_output=True, text=True, timeout=240, check=False
    )
    print(ended.stdout, ended.stderr)
    failures = [line for line in ended.stdout.splitlines() if line.startswith("FAILED")]
    if os.getloadavg()[0] > 2 * (os.cpu_count() or 1):  # other work makes labels older
        failures = [line for line in failures if "labels are" not in line]
    else:
        assert ended.returncode == bool(failures)
    assert failures == []
    assert "frames a camera" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_what_passes_images_on_without_the_node_answers_each_one():
    load = Load(cameras=2, rate=10.0, size=(48, 64), inference_ms=5.0)
    environment = dict(os.environ)
    with Rig(load, bare=True) as rig:
        ages = rig.measure_arrival(BASE, 1.0)
    assert 5 <= len(ages) <= 30  # best effort on a machine that may be busy
    assert ages.min() > load.inference_ms
    assert dict(os.environ) == environment


@pytest.mark.parametrize(
    ("outcomes", "found"),
    [
        ([outcome(), outcome()], []),
        ([outcome(), outcome(memory_mb=(310.0, 319.0))], ["memory grew from 303.0 to 319.0 MB"]),
        ([outcome(memory_mb=(300.0, 316.0))], ["memory grew from 300.0 to 316.0 MB"]),
        ([outcome(arrival_ms=np.full(9, 501.0))], ["labels are 501 ms old, more than 500 ms"]),
        ([outcome(bad=3)], ["3 frames failed"]),
    ],
)
def test_a_soak_objects_to_growth_age_and_failures(outcomes, found):
    assert list(objections(LOAD, outcomes)) == found
