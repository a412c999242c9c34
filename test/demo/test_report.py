from __future__ import annotations

import json

import numpy as np

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.demo.report import Report, format_report, summarize
from hyperseg_ros.demo.statistics import DriveStatistics

CLASSES = ClassTable(("road", "car"), ((128, 64, 128), (64, 0, 128)))


def report(*, truth: bool) -> Report:
    statistics = DriveStatistics(CLASSES)
    labels = np.array([[0, 0, 0, 1]], np.uint8)
    confidence = np.full_like(labels, 255)
    known = np.zeros_like(labels) if truth else None
    for latency in (20.0, 40.0, 60.0):
        statistics.add(labels, confidence, latency, known)
    return summarize(
        statistics,
        CLASSES,
        source="a street",
        model="a-model",
        backend="openvino",
        seconds=0.4,
        frames_in=4,
        inference_ms=12.34,
    )


def test_the_figures_of_a_drive() -> None:
    figures = report(truth=True)
    assert (figures.frames_in, figures.frames_out, figures.dropped) == (4, 3, 1)
    assert figures.latency_ms == (40.0, 58.0, 60.0)
    assert [result.share for result in figures.classes] == [0.75, 0.25]
    assert [result.iou for result in figures.classes] == [0.75, 0.0]
    assert figures.miou == 0.375


def test_the_table_says_them() -> None:
    text = format_report(report(truth=True))
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    assert rows["source"] == ["a", "street"]
    assert rows["model"] == ["a-model"]
    assert rows["backend"] == ["openvino"]
    assert " ".join(rows["frames"]) == "4 in, 3 out, 1 dropped (25.0%) over 0.4 s, 5.0 a second"
    assert " ".join(rows["latency"]).startswith("p50 40.0 ms, p95 58.0 ms, max 60.0 ms")
    assert rows["inference"][:2] == ["12.3", "ms,"]
    assert rows["mIoU"][0] == "37.50%,"
    assert rows["class"] == ["share", "IoU"]
    assert rows["road"] == ["75.00%", "75.00%"]
    assert rows["car"] == ["25.00%", "0.00%"]


def test_without_ground_truth_nothing_is_scored() -> None:
    text = format_report(report(truth=False))
    assert "IoU" not in text
    assert report(truth=False).miou is None


def test_colours_are_those_of_the_classes_and_move_no_column() -> None:
    plain = format_report(report(truth=True)).splitlines()
    colored = format_report(report(truth=True), colored=True).splitlines()
    assert "\x1b[48;2;128;64;128m" in colored[-2]
    visible = [line.replace("\x1b[48;2;128;64;128m", "").replace("\x1b[0m", "") for line in colored]
    assert visible[-3] == plain[-3][:5] + "   " + plain[-3][5:]
    assert visible[-2] == "   " + plain[-2]


def test_the_json_holds_the_same() -> None:
    figures = json.loads(report(truth=True).to_json())
    assert figures["latency_ms"] == {"p50": 40.0, "p95": 58.0, "maximum": 60.0}
    assert figures["dropped"] == 1
    assert figures["classes"][1] == {
        "name": "car",
        "color": [64, 0, 128],
        "share": 0.25,
        "iou": 0.0,
    }


def test_a_drive_of_which_nothing_came_back() -> None:
    empty = summarize(
        DriveStatistics(CLASSES),
        CLASSES,
        source="",
        model="",
        backend="",
        seconds=0.0,
        frames_in=0,
        inference_ms=None,
    )
    assert "no frame came back" in format_report(empty)
    assert "not reported" in format_report(empty)
