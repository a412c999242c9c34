"""Occupancy grids of scans whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hyperseg_ros.geometry import FreeSpace, GeometryError
from hyperseg_ros.geometry.grid import FREE, OCCUPIED, UNKNOWN, GridLayout


def scan(ranges, seen_from=0.5, free_to=None, half=0.5236, max_range=10.0) -> FreeSpace:
    """A scan over 60 degrees ahead; of one range, 60 degrees wide."""
    ranges = np.asarray(ranges, np.float32)
    if free_to is None:
        free_to = np.where(np.isfinite(ranges), ranges, np.where(ranges > 0, max_range, -np.inf))
    return FreeSpace(
        bearings=np.linspace(-half, half, len(ranges)) if len(ranges) > 1 else np.zeros(1),
        ranges=ranges,
        confidence=np.ones_like(ranges),
        sigma=np.full_like(ranges, 0.1),
        seen_from=np.full_like(ranges, seen_from),
        free_to=np.broadcast_to(np.asarray(free_to, np.float32), ranges.shape),
        min_range=0.0,
        max_range=max_range,
        increment=2 * half / max(1, len(ranges) - 1),
    )


def cell(layout: GridLayout, x: float, y: float) -> tuple[int, int]:
    return (
        math.floor((y - layout.origin[1]) / layout.resolution),
        math.floor((x - layout.origin[0]) / layout.resolution),
    )


@pytest.fixture
def layout() -> GridLayout:
    return GridLayout.around(ahead=12.0, behind=1.0, aside=8.0, resolution=0.1)


def test_free_before_occupied_at_and_unknown_behind_the_range(layout):
    grid = layout.draw(scan(np.full(121, 5.0)))
    assert grid.shape == (160, 130)
    assert grid.dtype == np.int8
    for bearing in np.radians([-28, -10, 0, 15, 28]):
        x, y = math.cos(bearing), math.sin(bearing)
        assert [int(grid[cell(layout, r * x, r * y)]) for r in (0.3, 2.0, 4.7, 5.0, 5.4, 9.0)] == [
            UNKNOWN, FREE, FREE, OCCUPIED, UNKNOWN, UNKNOWN,
        ]  # fmt: skip


@pytest.mark.parametrize("half", [0.02, 0.3])
def test_a_single_bearing_is_as_wide_as_its_beam(layout, half):
    grid = layout.draw(scan([5.0], half=half))
    x = layout.origin[0] + (np.arange(layout.width) + 0.5) * layout.resolution
    y = layout.origin[1] + (np.arange(layout.height)[:, None] + 0.5) * layout.resolution
    aside, ranges = np.abs(np.arctan2(y, x)), np.hypot(x, y)
    assert (grid[(aside < half) & (ranges > 0.5) & (ranges < 4.9)] == FREE).all()
    assert (grid[(aside > half) & (ranges < 4.9)] == UNKNOWN).all()
    assert (grid[(aside < half) & (np.abs(ranges - 5.0) < 0.05)] == OCCUPIED).all()


def test_beside_and_behind_the_view_nothing_is_known(layout):
    grid = layout.draw(scan(np.full(121, np.inf)))
    x = layout.origin[0] + (np.arange(layout.width) + 0.5) * layout.resolution
    y = layout.origin[1] + (np.arange(layout.height)[:, None] + 0.5) * layout.resolution
    bearings, ranges = np.degrees(np.arctan2(y, x)), np.hypot(x, y)
    inside = (np.abs(bearings) < 30) & (ranges > 0.5) & (ranges < 10)
    assert (grid[inside] == FREE).all()
    assert (grid[(np.abs(bearings) > 30.5) | (ranges > 10.1)] == UNKNOWN).all()
    assert not (grid == OCCUPIED).any()


def test_a_near_obstacle_leaves_its_bearing_unknown(layout):
    grid = layout.draw(scan(np.full(121, -np.inf)))
    assert (grid == UNKNOWN).all()


def test_where_nothing_is_said_the_seen_ground_is_free(layout):
    grid = layout.draw(scan(np.full(121, np.nan), free_to=3.0))
    assert grid[cell(layout, 2.5, 0)] == FREE
    assert grid[cell(layout, 3.5, 0)] == UNKNOWN


def test_every_range_marks_its_cell(layout):
    ranges = np.random.default_rng(1).uniform(1, 9, 121)
    free_space = scan(ranges)
    grid = layout.draw(free_space)
    for x, y in free_space.points():
        assert grid[cell(layout, x, y)] == OCCUPIED


def test_a_layout_serves_scans_of_other_bearings(layout):
    layout.draw(scan(np.full(121, 5.0)))
    narrow = layout.draw(scan(np.full(21, 5.0), half=math.radians(5)))
    assert narrow[cell(layout, 3.0, 1.0)] == UNKNOWN
    assert narrow[cell(layout, 3.0, 0.0)] == FREE


@pytest.mark.parametrize(
    "arguments", [(0, 10, 0.1, (0, 0)), (10, 10, 0.0, (0, 0)), (9000, 9000, 0.1, (0, 0))]
)
def test_grids_that_cannot_be(arguments):
    with pytest.raises(GeometryError):
        GridLayout(*arguments)
