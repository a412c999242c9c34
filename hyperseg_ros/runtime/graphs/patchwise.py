"""Maps cut into patches, and put together again: where each value goes (paper, section 3.3).

A model file keeps patches side by side in the channels, [1, P * C, h, w], in the order (image, row,
column), P = N * rows * columns. With a halo each patch has one more pixel on every side: the
neighbour's, and at the map's border the map reflected.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.graphs.index import Shape
from hyperseg_ros.runtime.graphs.movement import Places


class Patches(NamedTuple):
    """How a map [N, C, H, W] is cut."""

    images: int
    channels: int
    rows: int
    columns: int
    height: int
    """Of a patch, without halo."""
    width: int
    halo: int
    """Pixels on each side: 0 or 1."""

    @property
    def number(self) -> int:
        """Patches in all, P."""
        return self.images * self.rows * self.columns

    @property
    def map_shape(self) -> Shape:
        """[N, C, H, W]."""
        return (
            self.images,
            self.channels,
            self.rows * self.height,
            self.columns * self.width,
        )

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of a patch with its halo."""
        return self.height + 2 * self.halo, self.width + 2 * self.halo

    def row_numbers(self) -> NDArray[np.int64]:
        """The rows of the map that the patches' rows are, [rows * sides[0]]."""
        return _numbers(self.rows, self.height, self.halo)

    def column_numbers(self) -> NDArray[np.int64]:
        """The columns of the map that the patches' columns are, [columns * sides[1]]."""
        return _numbers(self.columns, self.width, self.halo)

    def split(self, of_map: Places) -> Places:
        """The patches of a map, [1, P * C, *sides]."""
        wide = of_map.take(self.row_numbers(), axis=2).take(self.column_numbers(), axis=3)
        height, width = self.sides
        tiled = wide.reshape(
            self.images, self.channels, self.rows, height, self.columns, width
        ).transpose(0, 2, 4, 1, 3, 5)
        return tiled.reshape(1, self.number * self.channels, height, width)

    def join(self, of_patches: Places) -> Places:
        """The map of patches without halo, [N, C, H, W]."""
        tiled = of_patches.reshape(
            self.images, self.rows, self.columns, self.channels, self.height, self.width
        ).transpose(0, 3, 1, 4, 2, 5)
        return tiled.reshape(self.map_shape)


def patches_between(map_shape: Shape, patch_shape: Shape) -> list[Patches]:
    """The ways in which a map [N, C, H, W] may have been cut into patches [1, P * C, h, w]."""
    if len(map_shape) != 4 or len(patch_shape) != 4 or patch_shape[0] != 1:
        return []
    found = []
    for halo in (0, 1):
        height, width = (side - 2 * halo for side in patch_shape[2:])
        if height < 1 or width < 1 or map_shape[2] % height or map_shape[3] % width:
            continue
        rows, columns = map_shape[2] // height, map_shape[3] // width
        patches = Patches(map_shape[0], map_shape[1], rows, columns, height, width, halo)
        if patches.number * patches.channels == patch_shape[1]:
            found.append(patches)
    return found


def grids(images: int, count: int, channels: int, height: int, width: int) -> list[Patches]:
    """The ways in which patches [P, C, h, w] may lie on a map that is cut again, with a halo."""
    cells = count // images
    return [
        Patches(images, channels, rows, cells // rows, height, width, halo=1)
        for rows in range(1, cells + 1)
        if images * cells == count and cells % rows == 0
    ]


def _numbers(patches: int, side: int, halo: int) -> NDArray[np.int64]:
    last = patches * side - 1
    inside = np.arange(-halo, side + halo)
    numbers = (np.arange(patches)[:, None] * side + inside).ravel()
    return np.asarray(last - np.abs(last - np.abs(numbers)), np.int64)
