"""The way from a drive to a better model, command by command as docs/recordings.md has it."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import bags
import cv2
import numpy as np
import pytest

from hyperseg_ros import cli
from hyperseg_ros.runtime import read_card
from hyperseg_ros.simulation import StreetCamera

SIZE = (192, 256)
DRIVES, HELD_BACK = (301, 302, 303, 304), 311
FRAMES = 12
EVERY = 15
"""Of a drive of 15 Hz: a frame a second."""


def filmed(seed: int, path: Path, labelled: bool = False) -> dict[int, np.ndarray]:
    """Record a drive of a camera that hangs upside down; returns the labels by receive time."""
    camera = StreetCamera(seed, SIZE[1], SIZE[0])
    messages, truths = [], {}
    for index in range(FRAMES):
        frame = camera.frame(index * EVERY)
        time = bags.START + index * 10 * bags.PERIOD
        pixels, ids = frame.image[::-1, ::-1], np.ascontiguousarray(frame.labels[::-1, ::-1])
        image = bags.image(np.ascontiguousarray(pixels), time)
        messages.append((bags.CAMERA, "sensor_msgs/msg/Image", time, image))
        labels = bags.image(ids, time, "mono8")
        if labelled:
            messages.append(("/front/ground_truth", "sensor_msgs/msg/Image", time, labels))
        truths[time] = ids
    bags.write(path, messages)
    return truths


def corrected(data: Path, truths: list[dict[int, np.ndarray]], folder: Path) -> Path:
    """The selected frames with the labels that a careful person would have drawn, for CVAT."""
    shutil.copytree(data, folder)
    with (data / "origins.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            label = folder / "train" / "labels" / f"{Path(row['image']).stem}.png"
            assert cv2.imread(str(label), cv2.IMREAD_UNCHANGED) is not None
            drive = DRIVES.index(int(row["recording"].rpartition("_")[2]))
            cv2.imwrite(str(label), truths[drive][int(row["received_ns"])])
    return folder


@pytest.fixture
def hyperseg(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> str:
        capsys.readouterr()
        status = cli.main(line.split())
        printed = capsys.readouterr()
        assert status == 0, f"{line}: {printed.out}{printed.err}"
        return printed.out

    return run


def miou(report: str) -> float:
    return float(re.search(r"^mIoU +([\d.]+)$", report, re.M).group(1))


def test_a_drive_makes_a_better_model(hyperseg, tmp_path):
    truths = [filmed(seed, tmp_path / f"monday_{seed}") for seed in DRIVES]
    filmed(HELD_BACK, tmp_path / "tuesday", labelled=True)
    hyperseg("export hyperseg-s-lite0-camvid --size 192x256 --output ours.onnx")
    before = miou(hyperseg("evaluate ours.onnx recording --root tuesday"))

    drives = " ".join(f"monday_{seed}" for seed in DRIVES)
    hyperseg(f"select {drives} --model ours.onnx --count 24 --output data")
    corrected(tmp_path / "data", truths, tmp_path / "by_hand")
    hyperseg("export-labels cvat folder --root by_hand --output cvat")
    hyperseg(
        "import cvat cvat/annotations.xml --images data/train/images --output labelled "
        "--split train --ground road pavement"
    )
    hyperseg(
        "train own-classes name=better data.root=labelled data.val= start_from=ours.onnx "
        "freeze_norms=true input_size=[192,256] augmentation.crop=[192,256] data.batch_size=4 "
        "optimizer.learning_rate=1e-3 optimizer.encoder_learning_rate=3e-4 schedule.epochs=16 "
        "schedule.ema_decay=0.9"
    )
    hyperseg("export runs/better/better.pt")
    assert read_card(tmp_path / "runs/better/better.onnx").classes.ground == ("road", "pavement")
    after = miou(hyperseg("evaluate runs/better/better.onnx recording --root tuesday"))
    assert before < 30
    assert after > before + 15
