from __future__ import annotations

import math

import numpy as np
import pytest

from hyperseg_ros.classes import UNLABELLED, ClassTable
from hyperseg_ros.demo.statistics import DriveStatistics

CLASSES = ClassTable(("a", "b", "c"), ((1, 1, 1), (2, 2, 2), (3, 3, 3)))


def row(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def test_nothing_is_known_before_the_first_frame() -> None:
    statistics = DriveStatistics(CLASSES)
    assert statistics.latency() is None
    assert math.isnan(statistics.mean_confidence())
    assert np.isnan(statistics.class_shares()).all()
    assert math.isnan(statistics.confusion.miou())


def test_latency_percentiles() -> None:
    statistics = DriveStatistics(CLASSES)
    for latency in range(101):
        statistics.add(row(0), row(0), float(latency))
    assert statistics.latency() == pytest.approx((50.0, 95.0, 100.0))


def test_shares_and_confidence_are_over_all_pixels() -> None:
    statistics = DriveStatistics(CLASSES)
    statistics.add(row(0, 0, 0, 1), row(255, 255, 255, 255), 1.0)
    statistics.add(row(1, UNLABELLED, 1, 1), row(0, 0, 0, 51), 1.0)
    assert statistics.frames == 2
    assert statistics.class_shares() == pytest.approx([3 / 8, 4 / 8, 0])
    assert statistics.mean_confidence() == pytest.approx((4 + 0.2) / 8)


def test_iou_is_accumulated_over_frames_not_averaged() -> None:
    statistics = DriveStatistics(CLASSES)
    statistics.add(row(0, 0, 1, 1), row(9, 9, 9, 9), 1.0, truth=row(0, 1, 1, UNLABELLED))
    statistics.add(row(0), row(9), 1.0, truth=row(0))
    statistics.add(row(2), row(9), 1.0)  # without ground truth it counts nowhere
    # Class a: 2 pixels right, 1 too many; class b: 1 right, 1 missed; class c: never seen.
    assert statistics.confusion.iou()[:2] == pytest.approx([2 / 3, 1 / 2])
    assert np.isnan(statistics.confusion.iou()[2])
    assert statistics.confusion.miou() == pytest.approx((2 / 3 + 1 / 2) / 2)
