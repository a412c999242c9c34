"""Buildings: boxes with textured fronts, gables and pitched roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.light import Color, bgr
from hyperseg_ros.simulation.painter import Image, Painter
from hyperseg_ros.simulation.shapes import upright

PASSED = 1.5  # metres ahead of the camera, short of which no front is in the picture


@dataclass(frozen=True)
class Building:
    """A box along the street from y0 to y1, its front at x, depth metres deep behind that."""

    x: float
    y0: float
    y1: float
    height: float
    depth: float
    rise: float  # of the roof's ridge over the eaves, metres; 0 flat
    wall: Color
    roof: Color
    front: list[Image]
    gable: list[Image]
    chimney: bool

    def paint(self, painter: Painter) -> None:
        passed = painter.camera.y + PASSED
        if max(self.y0, passed) >= self.y1 - 0.1:
            return
        if self.y0 > passed:
            self._paint_gable(painter)
        if self.rise > 0:
            self._paint_roof(painter, max(self.y0, passed))
        self._paint_front(painter, max(self.y0, passed))

    @property
    def _side(self) -> float:
        return 1.0 if self.x > 0 else -1.0

    def _paint_gable(self, painter: Painter) -> None:
        """The end that faces the camera."""
        x, y, h = self.x, self.y0, self.height
        back = x + self._side * self.depth
        ridge = x + self._side * self.depth / 2
        shade = float(painter.light.shade(np.array([0.0, -1.0, 0.0])))
        painter.texture(upright((x, y), (back, y), 0, h), self.gable, labels.BUILDING, shade)
        if self.rise > 0:
            gable = np.array([(x, y, h), (ridge, y, h + self.rise), (back, y, h)])
            painter.face(gable, self.wall, labels.BUILDING, shade)

    def _paint_roof(self, painter: Painter, near: float) -> None:
        """The slope towards the street from y = near on, and the chimney behind it."""
        camera = painter.camera
        x, h, top = self.x, self.height, self.height + self.rise
        ridge = x + self._side * self.depth / 2
        middle = (self.y0 + self.y1) / 2 - 0.6
        if self.chimney and middle > camera.y + 2:
            stack = upright((ridge - 0.7, middle), (ridge + 0.7, middle), h, top + 1.1)
            painter.face(stack, bgr(np.array(self.wall) * 0.8), labels.BUILDING, 0.9)
        slope = np.array([-self._side * self.rise, 0.0, self.depth / 2])
        if (camera.x - x) * slope[0] + (camera.z - h) * slope[2] > 0:  # the eye is above its plane
            shade = float(painter.light.shade(slope / np.linalg.norm(slope)))
            roof = [(x, near, h), (x, self.y1, h), (ridge, self.y1, top), (ridge, near, top)]
            painter.face(np.array(roof), self.roof, labels.BUILDING, shade)

    def _paint_front(self, painter: Painter, near: float) -> None:
        """The front from y = near on."""
        levels = self.front
        if near > self.y0:
            share = (near - self.y0) / (self.y1 - self.y0)
            levels = [level[:, int(share * level.shape[1]) :] for level in levels]
            levels = [level for level in levels if level.shape[1] >= 2]
        if levels:
            shade = float(painter.light.shade(np.array([-self._side, 0.0, 0.0])))
            corners = upright((self.x, near), (self.x, self.y1), 0, self.height)
            painter.texture(corners, levels, labels.BUILDING, shade)
