from __future__ import annotations

import bags
import numpy as np
import pytest

import models
from hyperseg_ros.recordings.overlay_video import write_overlay_videos
from hyperseg_ros.recordings.plan import Options
from hyperseg_ros.recordings.run import plan, run
from hyperseg_ros.runtime.video_files import VideoReader

SKY, ROAD = (128, 128, 128), (128, 64, 128)


def test_every_labelled_frame_is_in_the_video_in_its_colours(tmp_path):
    model = models.write_palette_model(tmp_path / "palette.onnx", input_size=(48, 64))
    messages = bags.frames(6)
    for index, (_, _, _, message) in enumerate(messages):
        color = ROAD if index % 2 else SKY
        message.data[:] = np.tile(np.array(color[::-1], np.uint8), 48 * 64)
    messages[3][3].encoding = "plaid8"
    source = bags.write(tmp_path / "drive", messages)
    options = Options(str(model))
    list(run(plan({source: tmp_path / "out"}, options), options))

    (path,) = write_overlay_videos(source, tmp_path / "out", options)

    reader = VideoReader(path)
    frames = list(reader)
    assert path.name == "front_overlay.mp4"
    assert len(frames) == 5
    assert reader.rate == pytest.approx(8.0, abs=0.01)
    for frame, color in zip(frames, (SKY, ROAD, SKY, SKY, ROAD)):
        np.testing.assert_allclose(frame.mean(axis=(0, 1)), color[::-1], atol=12)


def test_a_recording_without_labels_has_no_video(tmp_path):
    model = models.write_palette_model(tmp_path / "palette.onnx", input_size=(48, 64))
    source = bags.write(tmp_path / "drive", bags.frames(2))
    options = Options(str(model), outputs=("confidence",))
    list(run(plan({source: tmp_path / "out"}, options), options))

    assert write_overlay_videos(source, tmp_path / "out", options) == []
