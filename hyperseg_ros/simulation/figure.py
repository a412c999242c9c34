"""People: how they look, and the flat figures that they are painted as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperseg_ros.simulation.camera import Array
from hyperseg_ros.simulation.light import Color, bgr
from hyperseg_ros.simulation.painter import Painter

CLOTHES: tuple[Color, ...] = (
    (35, 33, 32),
    (60, 50, 45),
    (110, 70, 45),
    (45, 40, 110),
    (160, 160, 165),
    (60, 80, 70),
    (210, 212, 215),
    (40, 50, 60),
    (95, 60, 90),
    (50, 120, 190),
    (55, 45, 160),
)
TROUSERS: tuple[Color, ...] = (
    (40, 38, 38),
    (95, 65, 45),
    (70, 80, 90),
    (60, 60, 62),
    (120, 95, 75),
)
SKIN: tuple[Color, ...] = ((150, 175, 215), (120, 150, 195), (70, 95, 140), (50, 65, 100))
HAIR: tuple[Color, ...] = ((25, 28, 32), (40, 60, 90), (90, 130, 160), (120, 120, 122))

NEAREST, SEEN = 2.8, 75.0  # metres between which people are drawn
MARGIN = 1.5  # metres that a figure may reach from its foot
SMALLEST = 14.0  # pixels a metre


@dataclass(frozen=True)
class Look:
    """A person's build and clothes."""

    height: float  # metres
    coat: Color
    trousers: Color
    skin: Color
    hair: Color
    skirted: bool  # a long coat
    bag: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Look:
        """Somebody, at random."""

        def pick(options: tuple[Color, ...]) -> Color:
            color = options[int(rng.integers(len(options)))]
            return bgr(np.array(color) * rng.uniform(0.8, 1.2))

        return cls(
            float(rng.uniform(1.58, 1.9)),
            pick(CLOTHES),
            pick(TROUSERS),
            pick(SKIN),
            pick(HAIR),
            bool(rng.random() < 0.3),
            bool(rng.random() < 0.4),
        )


@dataclass(frozen=True)
class Figure:
    """A flat figure that faces the camera: paints polygons in metres (right, up) from its foot."""

    painter: Painter
    label: int
    foot: Array  # pixels
    depth: float  # metres
    scale: float  # pixels a metre

    @classmethod
    def of(cls, painter: Painter, x: float, y: float, label: int) -> Figure | None:
        """The figure at (x, y); None where it is out of sight, too small or too near."""
        camera = painter.camera
        if not camera.sees(x, y, MARGIN, SEEN):
            return None
        pixels, depths = camera.project(np.array([(x, y, 0.0)]))
        depth, foot = float(depths[0]), pixels[0]
        scale = camera.fx / max(depth, 0.1)
        inside = -2 * scale < foot[0] < camera.width + 2 * scale
        if depth <= NEAREST or not inside or scale < SMALLEST:
            return None
        return cls(painter, label, foot, depth, scale)

    def fill(self, polygon: Array, color: Color, tone: float = 1.0) -> None:
        """A polygon [N, 2] in a colour; tone is its own share of the light."""
        lit = self._soft_light * tone
        self.painter.fill(
            self._pixels(polygon), self.painter.hazed(color, self.depth, lit), self.label
        )

    def blend(self, polygon: Array, color: Color, opacity: float) -> None:
        """A see-through polygon [N, 2]."""
        hazed = self.painter.hazed(color, self.depth)
        self.painter.blend(self._pixels(polygon), hazed, opacity, self.label)

    @property
    def _soft_light(self) -> float:
        return 0.75 + 0.35 * (1 - self.painter.light.direct)

    def _pixels(self, polygon: Array) -> Array:
        return self.foot + polygon * (self.scale, -self.scale)
