"""Fences: railings and boards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.camera import NEAR, Array
from hyperseg_ros.simulation.light import Color
from hyperseg_ros.simulation.painter import Image, Painter, pyramid
from hyperseg_ros.simulation.shapes import upright

SEEN = 60.0  # metres from which fences are drawn
BAR_PITCH = 0.16  # metres between the bars of railings


def planks(rng: np.random.Generator) -> list[Image]:
    """The texture of a close-boarded wooden fence."""
    stains = ((60, 85, 115), (80, 95, 105), (45, 60, 80), (60, 90, 60))
    base = np.array(stains[int(rng.integers(4))]) * rng.uniform(0.85, 1.25)
    boards = np.repeat(rng.normal(0, 12, (1, 24, 1)), 8, axis=1)
    image = np.broadcast_to(base, (60, 192, 3)) + boards + rng.normal(0, 6, (60, 192, 1))
    image[:, ::8] *= 0.55
    image[6:10] *= 0.8
    return pyramid(np.clip(image, 0, 255).astype(np.uint8), 4)


@dataclass(frozen=True)
class Fence:
    """A panel along the street at x from y0 to y1: railings one sees through, or boards.

    The label covers the gaps between the bars too, as CamVid's does.
    """

    x: float
    y0: float
    y1: float
    height: float
    color: Color
    boards: list[Image] | None

    @property
    def y(self) -> float:
        return self.y0

    def paint(self, painter: Painter) -> None:
        camera = painter.camera
        if not camera.sees(self.x, (self.y0 + self.y1) / 2, 3.0, SEEN):
            return
        start = max(self.y0, camera.y + 1.2)
        if start >= self.y1 - 0.05:
            return
        corners = upright((self.x, start), (self.x, self.y1), 0, self.height)
        pixels, depths = camera.project(corners)
        columns = pixels[:, 0]
        if depths.min() < NEAR or columns.max() < 0 or columns.min() > camera.width:
            return
        depth = float(depths.mean())
        if camera.fx * self.height / depth < 6:
            return
        if self.boards is not None:
            outward = np.array([-1.0 if self.x > 0 else 1.0, 0, 0])
            shade = float(painter.light.shade(outward))
            painter.texture(corners, self.boards, labels.FENCE, shade)
            return
        lit = painter.hazed(self.color, depth, 0.9)
        bars = max(int((self.y1 - start) / BAR_PITCH), 1)
        spacing = abs(columns[1] - columns[0]) / bars
        if spacing < 3:
            painter.blend(pixels, lit, 0.62, labels.FENCE)
        else:
            painter.blend(pixels, lit, 0.22, labels.FENCE)
            self._paint_bars(painter, corners, bars, lit)
        for low, high in ((self.height - 0.09, self.height), (0.1, 0.17)):
            rail = upright((self.x, start), (self.x, self.y1), low, high)
            painter.face(rail, self.color, labels.FENCE, 0.9)

    def _paint_bars(self, painter: Painter, corners: Array, bars: int, lit: Color) -> None:
        camera = painter.camera
        share = np.linspace(0, 1, bars + 1)[:, None]
        tops, depths = camera.project(corners[0] + (corners[1] - corners[0]) * share)
        feet, _ = camera.project(corners[3] + (corners[2] - corners[3]) * share)
        for (u0, v0), (u1, v1), depth in zip(tops, feet, depths):
            half = max(camera.fx * 0.022 / depth, 0.5)
            bar = np.array([(u0 - half, v0), (u0 + half, v0), (u1 + half, v1), (u1 - half, v1)])
            painter.fill(bar, lit, labels.FENCE)
