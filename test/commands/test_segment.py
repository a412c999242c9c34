import cv2
import numpy as np
import pytest

import models
from hyperseg_ros.classes import CAMVID
from hyperseg_ros.commands.segment import main
from hyperseg_ros.runtime.video_files import VideoReader, VideoWriter


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


def test_a_missing_file_is_named_before_anything_is_done(model, image, tmp_path):
    with pytest.raises(ValueError, match=r"there is no file .*gone.png"):
        main([model, str(image), str(tmp_path / "gone.png"), "--output", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_neither_image_nor_video(model, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not pixels")
    with pytest.raises(ValueError, match="neither an image nor a video"):
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


def test_a_video_that_is_cut_short_leaves_the_old_overlay(model, tmp_path):
    video = tmp_path / "drive.avi"
    with VideoWriter(video, 10.0, (64, 48)) as writer:
        for _ in range(20):
            writer.write(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    old = tmp_path / "drive_overlay.mp4"
    old.write_bytes(b"the last one")
    with pytest.raises(ValueError, match=r"drive\.avi is damaged or cut short: \d+ of 20 frames"):
        main([str(model), str(video), "--output", str(tmp_path)])
    assert old.read_bytes() == b"the last one"
    assert sorted(tmp_path.glob("*.mp4")) == [old]


def test_a_rate_that_the_format_cannot_have_is_rounded(model, tmp_path):
    video = tmp_path / "slow.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 211.222, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    assert main([str(model), str(video), "--output", str(tmp_path)]) == 0
    assert VideoReader(tmp_path / "slow_overlay.mp4").rate == pytest.approx(211.22, rel=1e-4)
