"""The pool, the recordings and the data sets of the comparison of selected with random frames."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags")

import selection

from hyperseg_ros.recordings.reading import Recording
from hyperseg_ros.training.datasets import load_dataset

NAMES = ("0001TP_006690", "0001TP_006720", "0006R0_f00930")
SIZE = (12, 16)


@pytest.fixture
def camvid(tmp_path):
    """Three training images of two drives, and one to validate on; 11 is void."""
    root = tmp_path / "camvid"
    for split, names in (("train", NAMES), ("val", ("0016E5_07959",))):
        for kind in (split, f"{split}annot"):
            (root / kind).mkdir(parents=True)
        for index, name in enumerate(names):
            image = np.full((*SIZE, 3), 10 * index, np.uint8)
            cv2.imwrite(str(root / split / f"{name}.png"), image)
            labels = np.full(SIZE, index, np.uint8)
            labels[0] = 11
            cv2.imwrite(str(root / f"{split}annot" / f"{name}.png"), labels)
    return root


def test_each_drive_is_a_recording_of_its_images_at_their_times(camvid, tmp_path):
    bags = selection.write_bags(tmp_path / "bags", camvid, NAMES)
    assert [bag.name for bag in bags] == ["0001TP", "0006R0"]
    times = []
    for bag in bags:
        with Recording(bag) as recording:
            times += [(bag.name, stored.time) for stored in recording.messages([selection.TOPIC])]
    assert times == [("0001TP", 223 * 10**9), ("0001TP", 224 * 10**9), ("0006R0", 31 * 10**9)]
    assert times == [(selection.drive(name), selection.frame_time(name)) for name in NAMES]


def test_a_data_set_has_the_chosen_images_with_their_true_labels(camvid, tmp_path):
    data = selection.write_dataset(tmp_path / "data", camvid, NAMES[1:])
    training, validation = (load_dataset("folder", data, split) for split in ("train", "val"))
    assert (len(training), len(validation)) == (2, 1)
    assert [int(labels[1, 0]) for labels in training.labels] == [1, 2]
    assert (training.labels[0][0] == 255).all()
    assert selection.write_dataset(tmp_path / "data", camvid, NAMES[1:]) == data


def test_chance_is_repeatable_and_takes_each_name_once():
    names = [f"{index:03}" for index in range(50)]
    first, again, other = (selection.by_chance(names, 20, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 20


def test_what_was_selected_is_read_from_the_origins(camvid, tmp_path):
    folder = tmp_path / "selected"
    folder.mkdir()
    with (folder / selection.ORIGINS).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["recording", "received_ns"], ["0001TP", "224000000000"]])
    assert selection.select(tmp_path / "first.pt", [], folder, 1) == {("0001TP", 224 * 10**9)}


def test_the_margin_is_selected_less_random(capsys):
    selection.print_result(0.5, {"selected": [0.62, 0.63], "random": [0.60, 0.64]})
    assert "margin of the selected frames, points: +2.0, -1.0; mean +0.5" in capsys.readouterr().out


def test_a_folder_without_camvid_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        selection.main(["--root", str(tmp_path), "--output", str(tmp_path / "out")])
    assert "has no images: --root is CamVid" in capsys.readouterr().err
