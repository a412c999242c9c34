"""The benchmark of the node, whose soak is a test too."""

from __future__ import annotations

import os

import numpy as np
import pytest

from hyperseg_ros.benchmark import node
from hyperseg_ros.benchmark.node import BASE, objections
from hyperseg_ros.benchmark.rig import Load, Outcome, Rig
from hyperseg_ros.commands.benchmark import main
from hyperseg_ros.msg import ClassMasks

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


def test_overload_leaves_memory_flat_and_no_camera_without_its_share():
    with Rig(LOAD) as rig:
        outcomes = [rig.measure({**BASE, "masks": ClassMasks}, 4.0, settle=1.0) for _ in range(3)]
    found = list(objections(LOAD, outcomes))
    # Of a machine that has other work, labels are older.
    assert [text for text in found if not text.startswith("labels are")] == []
    frames = np.sum([outcome.frames for outcome in outcomes], axis=0)
    assert frames.min() >= 0.7 * frames.mean()


def test_the_command_measures_a_minute(monkeypatch, capsys):
    outcomes = [outcome()]
    monkeypatch.setattr(node, "soak", lambda model, minutes: list(objections(LOAD, outcomes)))
    assert main(["--node", "--soak", "1"]) == 0
    outcomes.append(outcome(bad=3))
    assert main(["--node", "--soak", "1"]) == 1
    assert "FAILED: 3 frames failed" in capsys.readouterr().out


def test_what_passes_images_on_without_the_node_answers_each_one():
    load = Load(cameras=2, rate=10.0, size=(48, 64), inference_ms=5.0)
    environment = dict(os.environ)
    with Rig(load, bare=True) as rig:
        ages = rig.measure_arrival(BASE, 1.0, settle=0.5)
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
