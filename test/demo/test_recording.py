from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.demo.birds_eye import FREE
from hyperseg_ros.demo.contact_sheet import IMAGE_WIDTH, Layout
from hyperseg_ros.demo.free_space import BEARINGS, Scan
from hyperseg_ros.demo.recording import SHEET_ROWS, Recording, SegmentedFrame
from hyperseg_ros.runtime.video_files import VideoReader

HEIGHT, WIDTH = 48, 96
ROAD, CAR = CAMVID.index("road"), CAMVID.index("car")


def frame(index: int) -> SegmentedFrame:
    """The index-th frame at 10 Hz: road, with a car in the left half that is in the truth only."""
    labels = np.full((HEIGHT, WIDTH), ROAD, np.uint8)
    truth = labels.copy()
    truth[:, : WIDTH // 2] = CAR
    truth[: HEIGHT // 2] = UNLABELLED
    return SegmentedFrame(
        stamp_ns=10**18 + index * 10**8,
        latency_ms=50.0 + index,
        image=np.full((HEIGHT, WIDTH, 3), 10 * index, np.uint8),
        labels=labels,
        confidence=np.full((HEIGHT, WIDTH), 51, np.uint8),
        overlay=np.full((HEIGHT, WIDTH, 3), 255 - 10 * index, np.uint8),
        truth=truth,
    )


def test_a_drive_is_recorded(tmp_path: Path) -> None:
    recording = Recording(tmp_path, CAMVID, rate=10.0)
    indices = [index for index in range(20) if index != 7]
    for index in indices:
        recording.add(frame(index))
    video, sheet = recording.finish("title", "subtitle")

    assert recording.seconds == pytest.approx(1.9)
    assert recording.statistics.frames == 19
    assert recording.statistics.confusion.iou()[[ROAD, CAR]] == pytest.approx([0.5, 0.0])
    assert recording.statistics.mean_confidence() == pytest.approx(0.2)

    capture = cv2.VideoCapture(str(video))
    shown = []
    while (result := capture.read())[0]:
        shown.append(float(result[1][:HEIGHT].mean()))
    expected = [255 - 10 * (index if index != 7 else 6) for index in range(20)]
    np.testing.assert_allclose(shown, expected, atol=6)

    picture = cv2.imread(str(sheet))
    layout = Layout(SHEET_ROWS, IMAGE_WIDTH, IMAGE_WIDTH * HEIGHT // WIDTH)
    rows = []
    for row in range(SHEET_ROWS):
        pixels = []
        for column in range(3):
            left, top = layout.image_at(row, column)
            pixels.append(picture[top + 50, left + 50].tolist())
        camera, labels, overlay = pixels
        assert labels == [128, 64, 128]
        assert camera[0] + overlay[0] == 255
        rows.append(camera[0] // 10)
    assert rows[0] == 0
    assert rows[-1] >= 15
    assert max(np.diff(rows)) - min(np.diff(rows)) <= 2


def test_a_drive_that_waited_is_shown_at_its_rate(tmp_path: Path) -> None:
    with Recording(tmp_path, CAMVID, rate=10.0, waits=True) as recording:
        for index in (0, 4, 5, 20):
            recording.add(frame(index))
        video, _ = recording.finish("title", "subtitle")
    assert recording.seconds == pytest.approx(2.0)
    assert recording.drive_seconds == pytest.approx(0.3)
    assert VideoReader(video).length == 4


def test_free_space_is_in_the_video_and_a_column_of_the_sheet(tmp_path: Path) -> None:
    def seen(index: int, truth: float | None) -> SegmentedFrame:
        found = Scan(BEARINGS, np.full(len(BEARINGS), 10.0, np.float32))
        true = None if truth is None else Scan(BEARINGS, np.full_like(found.ranges, truth))
        big = {
            name: np.kron(getattr(frame(index), name), np.ones((5, 5), np.uint8))
            for name in ("labels", "confidence", "truth")
        }
        big |= {
            name: np.kron(getattr(frame(index), name), np.ones((5, 5, 1), np.uint8))
            for name in ("image", "overlay")
        }
        return replace(frame(index), **big, scan=found, true_scan=true)

    with Recording(tmp_path, CAMVID, rate=10.0) as recording:
        for index, truth in enumerate((10.0, None, 8.0, None)):
            recording.add(seen(index, truth))
        video, sheet = recording.finish("title", "subtitle")
    errors = recording.statistics.range_errors.summary()
    assert errors is not None
    assert errors.p50 == pytest.approx(0.125)  # of 0 and 0.25
    assert errors.missed == 0.5
    first = next(iter(VideoReader(video)))
    inset = first[5 * HEIGHT // 2 : 5 * HEIGHT, 5 * WIDTH // 2 :]
    assert (np.abs(inset.astype(int) - FREE).max(axis=2) < 25).mean() > 0.02
    assert cv2.imread(str(sheet)).shape[1] == Layout(2, IMAGE_WIDTH, 1, columns=4).width


def test_a_single_frame_without_the_truth_has_a_sheet_too(tmp_path: Path) -> None:
    found = Scan(BEARINGS, np.full(len(BEARINGS), 10.0, np.float32))
    with Recording(tmp_path, CAMVID, rate=10.0) as recording:
        recording.add(replace(frame(0), scan=found))
        assert len(recording.finish("title", "subtitle")) == 2


def test_of_nothing_nothing_is_written(tmp_path: Path) -> None:
    assert Recording(tmp_path, CAMVID, rate=10.0).finish("", "") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", ["labels", "confidence", "truth"])
def test_outputs_are_as_large_as_the_image(tmp_path: Path, output: str) -> None:
    small = replace(frame(0), **{output: np.zeros((HEIGHT, WIDTH - 1), np.uint8)})
    with pytest.raises(ValueError, match=output):
        Recording(tmp_path, CAMVID, rate=10.0).add(small)
