import struct

import cv2
import numpy as np
import pytest

import models
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.commands.segment import main

ORIENTATION_6 = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)


@pytest.fixture
def model(tmp_path):
    return str(models.write_palette_model(tmp_path / "model.onnx"))


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "street.png"
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    cv2.imwrite(str(path), pixels)
    return path


def test_an_image_gives_its_labels_and_an_overlay(model, image, tmp_path, capsys):
    output = tmp_path / "new" / "folder"
    assert main([model, str(image), "--output", str(output), "--opacity", "1"]) == 0
    labels, _ = models.expected(cv2.imread(str(image)))
    written = cv2.imread(str(output / "street_label.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(written, labels)
    blend = cv2.imread(str(output / "street_overlay.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(blend, CAMVID.palette()[labels][..., ::-1])
    assert capsys.readouterr().out.split() == [
        str(output / "street_label.png"),
        str(output / "street_overlay.png"),
    ]


def test_a_video_gives_an_overlay_of_every_frame(model, tmp_path):
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.0, (64, 48))
    for level in (0, 60, 120):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    assert main([model, str(path), "--output", str(tmp_path)]) == 0
    capture = cv2.VideoCapture(str(tmp_path / "drive_overlay.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12.0)
    shapes = []
    while (frame := capture.read())[0]:
        shapes.append(frame[1].shape)
    assert shapes == [(48, 64, 3)] * 3


def write_video(path, rate=12.0, size=(64, 48), frames=3):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
    noise = np.random.default_rng(0).integers(0, 256, (frames, size[1], size[0], 3), np.uint8)
    for frame in noise:
        writer.write(frame)
    writer.release()


def frames_of(path):
    capture = cv2.VideoCapture(str(path))
    shapes = []
    while (frame := capture.read())[0]:
        shapes.append(frame[1].shape)
    return capture.get(cv2.CAP_PROP_FPS), shapes


@pytest.mark.parametrize(
    ("rate", "written"), [(29.97, 29.97), (211.222, 211.22), (1000, 25), (90000, 25)]
)
def test_a_frame_rate_that_cannot_be_written_is_rounded(model, tmp_path, rate, written):
    write_video(tmp_path / "drive.avi", rate)
    assert main([model, str(tmp_path / "drive.avi"), "--output", str(tmp_path)]) == 0
    found, shapes = frames_of(tmp_path / "drive_overlay.mp4")
    assert found == pytest.approx(written, rel=1e-3)
    assert shapes == [(48, 64, 3)] * 3


def test_a_video_of_odd_size_keeps_its_frames(model, tmp_path):
    write_video(tmp_path / "drive.avi", 25, (65, 49))
    assert main([model, str(tmp_path / "drive.avi"), "--output", str(tmp_path)]) == 0
    assert len(frames_of(tmp_path / "drive_overlay.mp4")[1]) == 3


def test_a_video_cut_short_is_an_error_with_the_count_and_leaves_what_was_there(model, tmp_path):
    path, old = tmp_path / "drive.avi", tmp_path / "drive_overlay.mp4"
    write_video(path, frames=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    old.write_bytes(b"old")
    with pytest.raises(ValueError, match=r"cut short: \d+ .*frames can be decoded"):
        main([model, str(path), "--output", str(tmp_path)])
    assert old.read_bytes() == b"old"
    assert {file.name for file in tmp_path.iterdir()} == {
        "model.onnx",
        "drive.avi",
        "drive_overlay.mp4",
    }


def test_a_folder_stands_for_its_images(model, image, tmp_path, capsys):
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in ("2.PNG", "10.png"):
        (folder / name).write_bytes(image.read_bytes())
    (folder / "notes.txt").write_text("no image")
    (folder / "._2.png").write_bytes(b"resource fork")
    for _ in range(2):  # the second time its own results are there
        assert main([model, str(folder), "--output", str(folder)]) == 0
        written = [line.rpartition("/")[2] for line in capsys.readouterr().out.splitlines()]
        assert written == ["10_label.png", "10_overlay.png", "2_label.png", "2_overlay.png"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no images in the folder"):
        main([model, str(empty), "--output", str(tmp_path)])


def test_one_bad_file_of_several_does_not_keep_the_others(model, image, tmp_path, capsys):
    bad = tmp_path / "a.png"
    bad.write_bytes(image.read_bytes()[:100])
    assert main([model, str(bad), str(image), "--output", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert f"error: {bad}: the PNG is cut short" in printed.err
    assert [line.rpartition("/")[2] for line in printed.out.splitlines()] == [
        "street_label.png",
        "street_overlay.png",
    ]


def test_labels_fit_the_stored_pixels_whatever_exif_says(model, tmp_path):
    path = tmp_path / "photo.jpg"
    jpeg = cv2.imencode(".jpg", np.full((24, 40, 3), 255, np.uint8))[1].tobytes()
    exif = b"Exif\0\0" + ORIENTATION_6
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    assert main([model, str(path), "--output", str(tmp_path)]) == 0
    assert cv2.imread(str(tmp_path / "photo_label.png"), 0).shape == (24, 40)


def test_a_disk_that_is_full_keeps_the_old_result(model, image, tmp_path):
    old = tmp_path / "street_overlay.png"
    old.write_bytes(b"old")
    (tmp_path / "street_label.png").mkdir()  # nothing can take its place
    with pytest.raises(OSError, match="street_label"):
        main([model, str(image), "--output", str(tmp_path)])
    assert old.read_bytes() == b"old"


def test_a_missing_file_is_named_before_anything_is_done(model, image, tmp_path):
    with pytest.raises(ValueError, match=r"there is no file .*gone.png"):
        main([model, str(image), str(tmp_path / "gone.png"), "--output", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_neither_image_nor_video(model, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not pixels")
    with pytest.raises(ValueError, match="neither a video that OpenCV can read nor an image"):
        main([model, str(path), "--output", str(tmp_path)])


def test_a_truncated_image(model, image, tmp_path):
    image.write_bytes(image.read_bytes()[:60])
    with pytest.raises(ValueError, match="cut short"):
        main([model, str(image), "--output", str(tmp_path)])


def test_two_files_that_would_overwrite_each_other(model, image, tmp_path):
    other = tmp_path / "b" / image.name
    other.parent.mkdir()
    other.write_bytes(image.read_bytes())
    with pytest.raises(ValueError, match="would write the same files"):
        main([model, str(image), str(other), "--output", str(tmp_path)])


def test_an_opacity_out_of_range(model, image, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([model, str(image), "--opacity", "1.5"])
    assert "'1.5' is not a number from 0 to 1" in capsys.readouterr().err
