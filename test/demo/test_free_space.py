from __future__ import annotations

import numpy as np
import pytest

from hyperseg_ros.demo.birds_eye import FOUND, FREE, GROUND, TRUTH, draw_birds_eye, draw_key
from hyperseg_ros.demo.free_space import BEARINGS, STEP, RangeErrors, Scan

INF, NAN = np.inf, np.nan


def scan(*ranges: float) -> Scan:
    return Scan(np.arange(len(ranges)) * STEP, np.array(ranges, np.float32))


def test_errors_are_of_the_bearings_where_something_stands() -> None:
    errors = RangeErrors()
    assert errors.summary() is None
    #                  exact  5 %   missed  missed  unseen  free  near  close to the limit
    errors.add(
        scan(10.0, 10.5, INF, 8.0, NAN, INF, -INF, INF),
        scan(10.0, 10.0, 5.0, 6.0, 3.0, INF, 1.0, 14.5),
    )
    errors.add(scan(4.0), scan(5.0))
    summary = errors.summary()
    assert summary is not None
    assert summary.p50 == pytest.approx(np.median([0, 0.05, 1 / 3, 0.2]), abs=1e-6)
    assert summary.p90 == pytest.approx(np.percentile([0, 0.05, 1 / 3, 0.2], 90), abs=1e-6)
    assert summary.bearings == 8
    assert summary.missed == pytest.approx(2 / 8)


def test_other_bearings_are_refused() -> None:
    with pytest.raises(ValueError, match="other bearings"):
        RangeErrors().add(scan(1.0, 2.0), scan(1.0))
    with pytest.raises(ValueError, match="other bearings"):
        RangeErrors().add(Scan(np.array([0.1]), np.ones(1, np.float32)), scan(1.0))


def test_from_above_free_space_ends_where_something_stands() -> None:
    ranges = np.full(len(BEARINGS), np.inf, np.float32)
    ranges[BEARINGS > 0.2] = 6.0  # on the left
    ranges[BEARINGS < -0.3] = np.nan  # not seen on the right
    truth = np.where(BEARINGS > 0.2, 9.0, np.inf).astype(np.float32)
    picture = draw_birds_eye(Scan(BEARINGS, ranges), Scan(BEARINGS, truth), 320, 240, 0.3)
    assert picture.shape == (240, 320, 3)

    def color(bearing: float, distance: float) -> list[int]:
        metre = (240 - 10 - 7) / 15
        x = round(160 - np.sin(bearing) * distance * metre)
        y = round(234 - np.cos(bearing) * distance * metre)
        return picture[y, x].tolist()

    assert color(0.0, 13.0) == list(FREE)
    assert color(0.35, 4.0) == list(FREE)
    assert color(0.35, 7.5) == list(GROUND)
    assert color(-0.4, 4.0) == list(GROUND)
    for wanted, distance in ((FOUND, 6.0), (TRUTH, 9.0)):
        off = np.abs(np.array(color(0.35, distance)) - wanted)
        assert off.max() < 70, (wanted, distance)


@pytest.mark.parametrize("size", [(30, 40), (100, 20), (640, 480)])
def test_any_size_can_be_drawn(size: tuple[int, int]) -> None:
    empty = Scan(BEARINGS, np.full(len(BEARINGS), np.nan, np.float32))
    assert draw_birds_eye(empty, None, *size).shape == (size[1], size[0], 3)
    assert draw_key(size[0]).shape[1] == size[0]
