"""A seeded corpus of hostile images, in a process whose memory is its own."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import dataclasses, json
from fuzz_decoding import measure
from hostile_images import hostile_images
for name, data in hostile_images(seed=7, mutations=1000):
    assert len(data) <= 1_000_000
    print("COST", json.dumps([name, dataclasses.asdict(measure(data))]), flush=True)
"""


@pytest.fixture(scope="module")
def costs():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line[5:] for line in done.stdout.splitlines() if line.startswith("COST ")]
    return dict(map(json.loads, lines))


def test_no_image_of_a_megabyte_costs_more_than_300_mb(costs):
    assert len(costs) > 1000
    assert {name: cost for name, cost in costs.items() if cost["megabytes"] > 300} == {}


def test_no_image_of_a_megabyte_costs_more_than_a_second(costs):
    # Of processor time; twice that where other work has the caches.
    assert {name: cost for name, cost in costs.items() if cost["seconds"] > 2} == {}


def test_what_claims_to_be_huge_is_refused(costs):
    claims = {name: cost["outcome"] for name, cost in costs.items() if "claims" in name}
    assert len(claims) > 30
    assert {n: o for n, o in claims.items() if not o.startswith("refused: ")} == {}


def test_large_images_that_are_sound_are_decoded(costs):
    for name in ("8K .jpg", "8K .png", "8K .webp", "8K progressive .jpg"):
        assert costs[name]["outcome"] == "decoded: (4320, 7680, 3)", name
    decoded = [cost for cost in costs.values() if cost["outcome"].startswith("decoded")]
    assert len(decoded) > 100
