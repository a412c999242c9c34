"""Frames of the street camera: deterministic, of any size, with labels that fit the geometry."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.simulation import StreetCamera

ROOT = Path(__file__).resolve().parents[2]
SKY, ROAD = CAMVID.index("sky"), CAMVID.index("road")


def digest(camera: StreetCamera, index: int) -> str:
    frame = camera.frame(index)
    return hashlib.sha256(frame.image.tobytes() + frame.labels.tobytes()).hexdigest()


def test_random_access_equals_sequence() -> None:
    indices = [0, 1, 2, 40, 300]
    sequential = StreetCamera(seed=7, width=160, height=120)
    in_order = {index: digest(sequential, index) for index in indices}
    for index in reversed(indices):
        assert digest(sequential, index) == in_order[index]
    assert digest(StreetCamera(seed=7, width=160, height=120), 300) == in_order[300]


def test_blocks_that_were_forgotten_are_rebuilt_the_same() -> None:
    camera = StreetCamera(seed=3, width=96, height=72, frame_rate=1.0)
    first = digest(camera, 0)
    for index in range(20, 400, 40):  # far more street than is kept in memory
        camera.frame(index)
    assert digest(camera, 0) == first


def test_another_process_sees_the_same() -> None:
    script = (
        "import hashlib\n"
        "from hyperseg_ros.simulation import StreetCamera\n"
        "frame = StreetCamera(seed=11, width=128, height=96).frame(77)\n"
        "print(hashlib.sha256(frame.image.tobytes() + frame.labels.tobytes()).hexdigest())\n"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == digest(StreetCamera(seed=11, width=128, height=96), 77)


def test_seeds_indices_and_time_make_a_difference() -> None:
    camera = StreetCamera(seed=1, width=96, height=72)
    digests = {digest(camera, 0), digest(camera, 1), digest(StreetCamera(2, 96, 72), 0)}
    assert len(digests) == 3


def test_frame_rate_scales_time() -> None:
    slow, fast = StreetCamera(5, 96, 72, 10.0), StreetCamera(5, 96, 72, 30.0)
    # Noise is an index's own; what the camera looks at is the moment's.
    assert np.array_equal(slow.frame(7).labels, fast.frame(21).labels)


@pytest.mark.parametrize(
    ("width", "height"), [(480, 360), (333, 257), (16, 16), (64, 200), (801, 99)]
)
def test_sizes(width: int, height: int) -> None:
    camera = StreetCamera(seed=4, width=width, height=height)
    frame = camera.frame(12)
    assert frame.image.shape == (height, width, 3)
    assert frame.labels.shape == (height, width)
    assert frame.image.dtype == frame.labels.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    assert frame.labels.flags.c_contiguous


@pytest.mark.parametrize("seed", range(6))
def test_labels_are_camvid_classes(seed: int) -> None:
    camera = StreetCamera(seed=seed, width=160, height=120)
    for index in (0, 50, 150):
        assert camera.frame(index).labels.max() < len(CAMVID)


def test_frames_do_not_alias() -> None:
    camera = StreetCamera(seed=0, width=96, height=72)
    first = camera.frame(0)
    image, labels = first.image.copy(), first.labels.copy()
    camera.frame(30)
    assert np.array_equal(first.image, image)
    assert np.array_equal(first.labels, labels)


def test_every_class_is_seen_on_most_drives() -> None:
    drives = 6
    seen = np.zeros(len(CAMVID), int)
    for seed in range(drives):
        camera = StreetCamera(seed=seed, width=240, height=180)
        counts = np.zeros(256, int)
        for index in range(0, 300, 25):
            counts += np.bincount(camera.frame(index).labels.ravel(), minlength=256)
        seen += counts[: len(CAMVID)] > 200
    assert (seen >= drives - 1).all(), dict(zip(CAMVID.names, seen))


def test_classes_are_shared_out_as_on_a_street() -> None:
    counts = np.zeros(256)
    for seed in range(12):
        labels = StreetCamera(seed=seed, width=160, height=120).frame(60).labels
        counts += np.bincount(labels.ravel(), minlength=256)
    share = dict(zip(CAMVID.names, counts / counts.sum()))
    assert 0.2 < share["road"] < 0.45
    assert 0.1 < share["building"] < 0.4
    assert 0.1 < share["sky"] < 0.4
    assert share["pole"] < 0.06


@pytest.mark.parametrize("seed", range(8))
def test_sky_is_above_the_horizon_and_ground_below(seed: int) -> None:
    camera = StreetCamera(seed=seed, width=160, height=120)
    labels = camera.frame(33).labels
    horizon = camera.camera(33).horizon
    rows = np.arange(120)
    assert not (labels[rows > horizon + 1.5] == SKY).any()
    assert not (labels[rows < horizon - 1.5] == ROAD).any()


@pytest.mark.parametrize("seed", range(8))
def test_road_is_where_the_plan_has_it(seed: int) -> None:
    """Ground pixels unproject to street coordinates that agree with their labels."""
    street = StreetCamera(seed=seed, width=240, height=180)
    camera, labels = street.camera(21), street.frame(21).labels
    rows = np.arange(int(camera.horizon) + 12, 180, dtype=float)
    x0, dx, _, _, depth = camera.ground_rows(rows)
    x = x0[:, None] + dx[:, None] * np.arange(240)
    part = labels[rows.astype(int)]
    layout = street.world.layout
    near = (depth < 20)[:, None] & np.ones_like(part, bool)
    within = near & (np.abs(x) < layout.kerb - 0.1)
    # Within the kerbs there is road or what stands on it, never pavement or sky.
    assert not np.isin(part[within], [CAMVID.index("pavement"), SKY]).any()
    on_pavement = part == CAMVID.index("pavement")
    assert (np.abs(x[near & on_pavement]) > layout.kerb - 0.1).all()
    assert (part[within] == ROAD).mean() > 0.5


def test_road_is_grey_and_differs_from_sky_in_brightness() -> None:
    darker = 0
    for seed in range(10):
        frame = StreetCamera(seed=seed, width=160, height=120).frame(5)
        road, sky = (frame.image[frame.labels == label].mean() for label in (ROAD, SKY))
        darker += road < sky - 20
    assert darker == 10


def test_image_edges_follow_label_edges() -> None:
    """Colour changes more across a label's outline than inside it: both come from one fill."""
    frame = StreetCamera(seed=2, width=320, height=240).frame(10)
    step = np.abs(np.diff(frame.image.astype(int), axis=1)).sum(2)
    outline = frame.labels[:, 1:] != frame.labels[:, :-1]
    assert step[outline].mean() > 3 * step[~outline].mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"width": 0}, "0 x 480"),
        ({"height": -5}, "640 x -5"),
        ({"width": 15}, "16 pixels or more"),
        ({"frame_rate": 0.0}, "frame rate is 0.0"),
        ({"frame_rate": float("nan")}, "frame rate is nan"),
        ({"frame_rate": float("inf")}, "frame rate is inf"),
    ],
)
def test_bad_arguments(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreetCamera(**arguments)  # type: ignore[arg-type]


def test_negative_index() -> None:
    with pytest.raises(ValueError, match="frame index is -1"):
        StreetCamera(width=64, height=48).frame(-1)
