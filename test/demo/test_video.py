from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hyperseg_ros.demo import video
from hyperseg_ros.demo.video import DriveVideo


def picture(value: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def read(path: Path) -> tuple[float, list[np.ndarray]]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (result := capture.read())[0]:
        frames.append(result[1])
    return capture.get(cv2.CAP_PROP_FPS), frames


def test_a_dropped_frame_shows_the_one_before(tmp_path: Path) -> None:
    writer = DriveVideo(tmp_path / "overlay", rate=10.0)
    for value, time in ((50, 100.0), (100, 100.1), (200, 100.4), (250, 100.5)):
        writer.write(picture(value), time - 100.0)
    writer.close()
    assert writer.path == tmp_path / "overlay.mp4"
    rate, frames = read(writer.path)
    assert rate == pytest.approx(10.0)
    shown = [float(frame.mean()) for frame in frames]
    np.testing.assert_allclose(shown, [50, 100, 100, 100, 200, 250], atol=4)


def test_jitter_of_the_stamps_loses_no_frame(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    writer = DriveVideo(tmp_path / "overlay", rate=10.0)
    times = np.arange(50) / 10 + random.uniform(-0.03, 0.03, 50)
    for time in times:
        writer.write(picture(100), float(time - times[0]))
    writer.close()
    assert writer.path is not None
    assert 50 <= len(read(writer.path)[1]) <= 52


def test_pictures_take_the_size_of_the_first(tmp_path: Path) -> None:
    writer = DriveVideo(tmp_path / "overlay", rate=10.0)
    writer.write(picture(50), 0.0)
    writer.write(picture(200, height=96, width=80), 0.1)
    writer.close()
    assert writer.path is not None
    frames = read(writer.path)[1]
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 2
    assert float(frames[1].mean()) == pytest.approx(200, abs=4)


def test_where_a_codec_is_missing_the_next_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(video.CODECS, ".mp4", "!!!!")
    writer = DriveVideo(tmp_path / "overlay", rate=10.0)
    writer.write(picture(120), 0.0)
    writer.close()
    assert writer.path == tmp_path / "overlay.avi"
    assert len(read(writer.path)[1]) == 1


def test_no_video_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    writer = DriveVideo(tmp_path / "file" / "overlay", rate=10.0)
    with pytest.raises(OSError, match="file"):
        writer.write(picture(120), 0.0)


def test_of_a_drive_that_has_failed_no_file_is_left(tmp_path: Path) -> None:
    (tmp_path / "overlay.mp4").write_bytes(b"the last one")
    writer = DriveVideo(tmp_path / "overlay", rate=10.0)
    writer.write(picture(120), 0.0)
    writer.drop(RuntimeError("the camera has failed"))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"the last one"]
