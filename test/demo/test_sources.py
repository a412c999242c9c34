from __future__ import annotations

import itertools
from pathlib import Path

import bags
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.classes import CAMVID, UNLABELLED, ClassTable
from hyperseg_ros.demo.free_space import BEARINGS, MAX_RANGE, STEP, TRUTH_EVERY
from hyperseg_ros.demo.sources import (
    DEFAULT_RATE,
    SIMULATED,
    SourceError,
    open_source,
)
from hyperseg_ros.demo.sources.image_folder import read_labels
from hyperseg_ros.simulation import StreetCamera

HEIGHT, WIDTH = 12, 16


def gray(value: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def labels_of(value: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH), value, np.uint8)


def test_the_simulated_drive_is_the_street_camera() -> None:
    drive = open_source(SIMULATED, rate=5.0, size=(64, 48), seed=3)
    camera = StreetCamera(seed=3, width=64, height=48, frame_rate=5.0)
    for index, frame in enumerate(itertools.islice(drive.frames, 4)):
        if index % TRUTH_EVERY:
            assert frame.ranges is None
        else:
            truth = camera.free_space(index, BEARINGS, MAX_RANGE, STEP).ranges
            np.testing.assert_array_equal(frame.ranges, truth)
        np.testing.assert_array_equal(frame.image, camera.frame(index).image)
        np.testing.assert_array_equal(frame.labels, camera.frame(index).labels)
    assert drive.intrinsics == camera.intrinsics
    assert drive.mount == camera.mount
    assert (drive.rate, drive.length, drive.labelled) == (5.0, None, True)


def test_simulated_labels_are_for_models_with_the_classes_of_camvid() -> None:
    classes = ClassTable(("road", "other"), ((1, 1, 1), (2, 2, 2)))
    drive = open_source(SIMULATED, classes, size=(64, 48))
    assert not drive.labelled
    assert drive.mount is None
    frame = next(drive.frames)
    assert frame.labels is None
    assert frame.ranges is None


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write(tmp_path / f"frame_{number}.png", gray(number))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._frame_1.png").write_bytes(b"what a Mac leaves")
    drive = open_source(str(tmp_path))
    assert [int(frame.image[0, 0, 0]) for frame in drive.frames] == [1, 2, 10]
    assert (drive.rate, drive.length, drive.labelled) == (DEFAULT_RATE, 3, False)


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("val/a.png", "valannot/a.png"),
        ("val/a.jpg", "valannot/a_L.png"),
        ("images/a.png", "labels/a.png"),
        ("drive/a.png", "drive/labels/a.png"),
        ("drive/a.PNG", "drive/a_L.png"),
        ("my drive/a.b (1).png", "my drive/a.b (1)_L.png"),
        ("straße/ä ü.png", "straße/labels/ä ü.png"),
    ],
)
def test_labels_are_found_by_the_rule(tmp_path: Path, image: str, label: str) -> None:
    write(tmp_path / image, gray(50))
    write(tmp_path / label, labels_of(4))
    drive = open_source(str((tmp_path / image).parent))
    frames = list(drive.frames)
    assert drive.labelled
    assert len(frames) == 1
    np.testing.assert_array_equal(frames[0].labels, labels_of(4))


def test_a_folder_is_found_by_any_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "val/a.png", gray(50))
    write(tmp_path / "valannot/a.png", labels_of(4))
    monkeypatch.chdir(tmp_path / "val")
    assert open_source(".").labelled


def test_an_image_without_a_label_file_is_unlabelled(tmp_path: Path) -> None:
    write(tmp_path / "a.png", gray(1))
    write(tmp_path / "b.png", gray(2))
    write(tmp_path / "labels/b.png", labels_of(3))
    first, second = open_source(str(tmp_path)).frames
    assert first.labels is None
    np.testing.assert_array_equal(second.labels, labels_of(3))


@given(st.integers(1, 254), st.lists(st.integers(0, 255), min_size=1, max_size=20))
def test_label_files_hold_class_ids_and_void(
    tmp_path_factory: pytest.TempPathFactory, num_classes: int, ids: list[int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.png"
    write(path, np.array([ids], np.uint8))
    if any(num_classes < id < UNLABELLED for id in ids):
        with pytest.raises(SourceError, match=f"0 to {num_classes - 1}"):
            read_labels(path, num_classes)
    else:
        wanted = [[id if id < num_classes else UNLABELLED for id in ids]]
        assert read_labels(path, num_classes).tolist() == wanted


def test_labels_of_another_size_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.png", gray(1))
    write(tmp_path / "a_L.png", np.zeros((HEIGHT, WIDTH + 2), np.uint8))
    with pytest.raises(SourceError, match=f"is {WIDTH + 2} x {HEIGHT}.*is {WIDTH} x {HEIGHT}"):
        open_source(str(tmp_path))


def test_colours_are_no_labels(tmp_path: Path) -> None:
    write(tmp_path / "a.png", gray(1))
    write(tmp_path / "a_L.png", gray(2))
    with pytest.raises(SourceError, match=r"one-channel 8-bit PNG.*3 channel"):
        open_source(str(tmp_path))


def test_a_broken_image_is_an_error_when_it_is_its_turn(tmp_path: Path) -> None:
    write(tmp_path / "a.png", gray(1))
    (tmp_path / "b.png").write_bytes(b"no image")
    frames = open_source(str(tmp_path)).frames
    next(frames)
    with pytest.raises(SourceError, match=r"b\.png"):
        next(frames)


def test_camvid(shared: Path) -> None:
    drive = open_source(str(shared / "camvid" / "val"))
    frame = next(drive.frames)
    assert (drive.length, drive.labelled) == (101, True)
    assert frame.image.shape == (360, 480, 3)
    assert frame.labels is not None
    assert frame.labels.shape == (360, 480)
    assert set(np.unique(frame.labels)) <= {*range(len(CAMVID)), UNLABELLED}


def test_a_video_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.5, (64, 48))
    for value in (20, 120, 220):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    drive = open_source(str(path))
    values = [float(frame.image.mean()) for frame in drive.frames]
    np.testing.assert_allclose(values, [20, 120, 220], atol=3)
    assert (drive.rate, drive.length, drive.labelled) == (12.5, 3, False)
    assert open_source(str(path), rate=4.0).rate == 4.0


def test_a_video_that_is_cut_short_is_an_error_after_its_last_frame(tmp_path: Path) -> None:
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(20):
        writer.write(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames = open_source(str(path)).frames
    assert next(frames).image.shape == (48, 64, 3)
    with pytest.raises(SourceError, match=r"cut short: [789] of 20 frames can be decoded"):
        list(frames)


def test_what_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "highway.mp4").touch()
    with pytest.raises(SourceError, match=r"did you mean .*highway\.mp4"):
        open_source(str(tmp_path / "higway.mp4"))
    with pytest.raises(SourceError, match="did you mean simulated"):
        open_source("simulation")
    with pytest.raises(SourceError, match="no such device: /dev/video99"):
        open_source("/dev/video99")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no images"):
        open_source(str(tmp_path / "empty"))


@pytest.mark.parametrize("content", [b"", b"no video", bytes(range(256)) * 20])
def test_a_file_that_is_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "drive.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"drive\.mp4"):
        open_source(str(path))


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_is_positive(rate: float) -> None:
    with pytest.raises(SourceError, match="rate"):
        open_source(SIMULATED, rate=rate)


def test_the_size_of_a_recording_is_its_own(tmp_path: Path) -> None:
    write(tmp_path / "a.png", gray(1))
    with pytest.raises(SourceError, match="size"):
        open_source(str(tmp_path), size=(64, 48))


def test_a_recording_plays_its_first_camera_at_its_own_rate(tmp_path):
    messages = bags.frames(5) + bags.frames(2, "/rear/image_raw")
    drive = open_source(str(bags.write(tmp_path / "drive", messages)))

    frames = list(drive.frames)

    assert drive.rate == pytest.approx(10.0)
    assert drive.length == len(frames) == 5
    assert not drive.live
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image, bags.pixels(index))
        assert frame.labels is None


def test_a_recording_without_a_camera_says_which_topics_it_has(tmp_path):
    path = bags.write(
        tmp_path / "drive",
        [("/chatter", "std_msgs/msg/String", 5, bags.ROS2.types["std_msgs/msg/String"]("a"))],
    )

    with pytest.raises(SourceError, match="its topics are: /chatter"):
        open_source(str(path))
