"""Free space as an occupancy grid around the robot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.geometry.errors import GeometryError
from hyperseg_ros.geometry.free_space import FreeSpace

FREE, OCCUPIED, UNKNOWN = 0, 100, -1
"""Values of nav_msgs/OccupancyGrid."""


@dataclass(frozen=True)
class _Cells:
    """The centres of the cells in polar coordinates about the origin, [height * width]."""

    bearings: NDArray[np.float64]
    ranges: NDArray[np.float32]


class GridLayout:
    """Square cells in the ground frame, around its origin.

    Args:
        width: cells along the x axis (forward).
        height: cells along the y axis (left).
        resolution: metres of a cell's side.
        origin: x, y of the corner of the first cell, metres.

    Raises:
        GeometryError: there are no cells, or more than 4 million.
    """

    def __init__(
        self, width: int, height: int, resolution: float, origin: tuple[float, float]
    ) -> None:
        if not (0 < resolution < math.inf and np.isfinite(origin).all()):
            raise GeometryError(f"a grid's resolution is above 0 m, not {resolution}")
        if width < 1 or height < 1 or width * height > 4_000_000:
            raise GeometryError(
                f"a grid has 1 to 4,000,000 cells, not {width} x {height}: use a coarser resolution"
            )
        self.width, self.height = width, height
        self.resolution, self.origin = resolution, origin
        x = origin[0] + (np.arange(width) + 0.5) * resolution
        y = origin[1] + (np.arange(height)[:, None] + 0.5) * resolution
        self._cells = _Cells(np.arctan2(y, x).ravel(), np.hypot(x, y).ravel().astype(np.float32))
        self._beams: NDArray[np.intp] = np.empty(0, np.intp)
        self._bearings: NDArray[np.float64] = np.empty(0)
        self._step = 0.0

    @classmethod
    def around(cls, ahead: float, behind: float, aside: float, resolution: float) -> GridLayout:
        """A grid that reaches so many metres ahead, behind and to either side of the origin."""
        if not (min(ahead + behind, aside) > 0 and resolution > 0):
            raise GeometryError(
                f"a grid of {ahead:g} m ahead, {behind:g} m behind and {aside:g} m aside is empty"
            )
        width = math.ceil((ahead + behind) / resolution - 1e-9)
        height = math.ceil(2 * aside / resolution - 1e-9)
        return cls(width, height, resolution, (-behind, -aside))

    def draw(self, free_space: FreeSpace) -> NDArray[np.int8]:
        """The grid of a scan.

        A cell is free where the ground at its centre is seen, occupied where a range ends in it,
        and unknown elsewhere: behind that, out of view, beyond `max_range`.

        Returns:
            `FREE`, `OCCUPIED` or `UNKNOWN`, int8 [height, width]; row 0 is the farthest right.
        """
        beams = self._beams_of(free_space.bearings, free_space.increment)
        cells = np.full(self.height * self.width, UNKNOWN, np.int8)
        ranges = self._cells.ranges
        # One beam more, out of view, for the cells that no beam goes through.
        free_to = np.append(free_space.free_to, -np.inf).astype(np.float32)[beams]
        seen_from = np.append(free_space.seen_from, np.inf).astype(np.float32)[beams]
        cells[(ranges >= seen_from) & (ranges <= free_to)] = FREE
        half = self.resolution / 2
        ends = np.append(free_space.ranges, np.nan).astype(np.float32)[beams]
        with np.errstate(invalid="ignore"):
            cells[np.abs(ranges - ends) <= half] = OCCUPIED
        self._mark(cells, free_space)
        return cells.reshape(self.height, self.width)

    def _mark(self, cells: NDArray[np.int8], free_space: FreeSpace) -> None:
        """The cells that ranges end in."""
        points = free_space.points()
        column, row = np.floor((points - self.origin) / self.resolution).astype(np.intp).T
        inside = (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
        cells[row[inside] * self.width + column[inside]] = OCCUPIED

    def _beams_of(self, bearings: NDArray[np.float64], step: float) -> NDArray[np.intp]:
        """The nearest bearing of each cell; their number for cells beside the view."""
        if step != self._step or not np.array_equal(bearings, self._bearings):
            middle = (bearings[0] + bearings[-1]) / 2
            turned = (self._cells.bearings - middle + np.pi) % (2 * np.pi) - np.pi + middle
            beam = np.rint((turned - bearings[0]) / step).astype(np.intp)
            beam[(beam < 0) | (beam >= len(bearings))] = len(bearings)
            self._beams, self._bearings, self._step = beam, bearings.copy(), step
        return self._beams
