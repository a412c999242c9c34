from __future__ import annotations

import csv

import bags
import cv2
import numpy as np
import pytest

import models
from hyperseg_ros.recordings.errors import RecordingError
from hyperseg_ros.recordings.harvest import Harvest, write_dataset
from hyperseg_ros.recordings.reading import Recording
from hyperseg_ros.runtime.segmenter import Segmenter


@pytest.fixture
def segmenter(tmp_path):
    path = models.write_palette_model(tmp_path / "palette.onnx", input_size=(48, 64))
    with Segmenter.open(path) as segmenter:
        yield segmenter


def harvest(segmenter, *sources, interval=0.0):
    found = Harvest(segmenter, interval)
    for number, source in enumerate(sources):
        with Recording(source) as recording:
            found.search(number, recording)
    return found


def test_selected_frames_become_a_data_set_with_its_origins(tmp_path, segmenter):
    sources = [
        bags.write(tmp_path / name, bags.frames(6, start=bags.START + 10**11 * number))
        for number, name in enumerate(("monday", "tuesday"))
    ]
    found = harvest(segmenter, *sources)

    selected = found.choose(4, apart=0.0)
    write_dataset(tmp_path / "data", selected, segmenter)

    assert found.candidates == 10  # each but the first of a recording has one before it
    images = sorted((tmp_path / "data" / "train" / "images").iterdir())
    labels = sorted((tmp_path / "data" / "train" / "labels").iterdir())
    assert [path.stem for path in images] == [path.stem for path in labels]
    assert len(images) == 4
    with (tmp_path / "data" / "origins.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [path.name for path in images]
    for row, path in zip(rows, images):
        start = bags.START + 10**11 * (row["recording"] == "tuesday")
        index = (int(row["received_ns"]) - 10**6 - start) // bags.PERIOD
        pixels = bags.pixels(index)
        np.testing.assert_array_equal(cv2.imread(str(path)), pixels)
        label = cv2.imread(
            str(tmp_path / "data" / "train" / "labels" / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED
        )
        np.testing.assert_array_equal(label, segmenter(pixels).labels)
    sheet = cv2.imread(str(tmp_path / "data" / "sheet.jpg"))
    assert sheet.shape == (240, 640, 3)


def test_the_data_set_can_be_trained_on(tmp_path, segmenter):
    folder = pytest.importorskip("hyperseg_ros.training.datasets.folder")
    source = bags.write(tmp_path / "drive", bags.frames(5))
    write_dataset(tmp_path / "data", harvest(segmenter, source).choose(3, 0.0), segmenter)

    images = folder.list_folder(tmp_path / "data", "train").load()

    assert len(images) == 3
    assert images.classes.names == segmenter.card.classes.names
    assert images.classes.colors == segmenter.card.classes.colors
    assert images.classes.ground == segmenter.card.classes.ground == ("road", "pavement")


def test_a_jpeg_of_the_camera_stays_as_it_is(tmp_path, segmenter):
    kind = "sensor_msgs/msg/CompressedImage"
    messages = [
        (f"{bags.CAMERA}/compressed", kind, time, bags.compressed(bags.pixels(index), time))
        for index, (_, _, time, _) in enumerate(bags.frames(3))
    ]
    source = bags.write(tmp_path / "drive", messages)

    write_dataset(tmp_path / "data", harvest(segmenter, source).choose(9, 0.0), segmenter)

    images = sorted((tmp_path / "data" / "train" / "images").iterdir())
    sent = {bytes(message.data) for _, _, _, message in messages}
    assert [path.suffix for path in images] == [".jpg", ".jpg"]
    assert all(path.read_bytes() in sent for path in images)


def test_candidates_are_apart_by_the_interval(tmp_path, segmenter):
    source = bags.write(tmp_path / "drive", bags.frames(31))

    assert harvest(segmenter, source, interval=1.0).candidates == 3


def test_a_bad_image_is_counted_and_the_rest_goes_on(tmp_path, segmenter):
    messages = bags.frames(4)
    messages[1][3].encoding = "plaid8"
    found = harvest(segmenter, bags.write(tmp_path / "drive", messages))

    assert found.bad == 2  # as a candidate, and as the neighbour of the next
    assert found.candidates == 2


def test_an_output_with_files_is_left_alone(tmp_path, segmenter):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").touch()

    with pytest.raises(RecordingError, match="is not empty"):
        write_dataset(tmp_path / "data", [], segmenter)
