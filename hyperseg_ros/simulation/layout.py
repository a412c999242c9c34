"""The street's plan: widths, what the ground is made of, and what is painted on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.camera import Array
from hyperseg_ros.simulation.light import Color

WHITE: Color = (215, 222, 222)
YELLOW: Color = (80, 190, 215)


@dataclass(frozen=True)
class Layout:
    """Widths in metres, colours BGR. Both sides of the street mirror each other."""

    drive_side: int  # -1: traffic keeps left, as in CamVid; 1: right
    lane: float
    parking: tuple[bool, bool]  # a parking strip at the left, right kerb
    strip: float  # width of a parking strip, 0 if there is none
    pavement: float
    asphalt: Color
    slab: Color
    slab_size: tuple[float, float]
    kerbstone: Color
    grass: Color
    edge_lines: tuple[float, ...]  # distances from the kerb
    edge_color: Color
    dash: float  # length of the centre line's dashes
    crossing_every: float  # metres between zebra crossings
    crossing_at: float
    junction_every: int  # blocks between side roads

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Layout:
        """A street's plan, at random."""
        parking = (bool(rng.random() < 0.6), bool(rng.random() < 0.6))
        gray = rng.uniform(78, 128)
        light = rng.uniform(125, 185)
        warm = rng.uniform(0, 14)
        doubled = rng.random() < 0.5
        return cls(
            drive_side=-1 if rng.random() < 0.75 else 1,
            lane=float(rng.uniform(3.0, 3.8)),
            parking=parking,
            strip=2.2 if any(parking) else 0.0,
            pavement=float(rng.uniform(2.4, 5.0)),
            asphalt=(gray * 1.02, gray, gray * 0.98),
            slab=(light - warm, light, light + warm * 0.7),
            slab_size=(float(rng.choice([0.6, 0.8, 1.28])), float(rng.choice([0.64, 0.8, 1.28]))),
            kerbstone=(light + 20, light + 22, light + 22),
            grass=(
                float(rng.uniform(40, 60)),
                float(rng.uniform(88, 125)),
                float(rng.uniform(70, 95)),
            ),
            edge_lines=((0.35, 0.55) if doubled else (0.35,)) if rng.random() < 0.6 else (),
            edge_color=YELLOW if rng.random() < 0.6 else WHITE,
            dash=float(rng.choice([2.0, 3.0, 4.0])),
            crossing_every=float(rng.uniform(70, 130)),
            crossing_at=float(rng.uniform(20, 60)),
            junction_every=int(rng.integers(3, 7)),
        )

    @property
    def kerb(self) -> float:
        """Distance of the kerbs from the centre line, metres."""
        return self.lane + self.strip

    @property
    def wall(self) -> float:
        """Distance of the pavements' far edges from the centre line, metres."""
        return self.kerb + self.pavement

    def parks(self, side: int) -> bool:
        """Whether cars park along the kerb of a side, -1 left or 1 right."""
        return self.parking[(side + 1) // 2]

    def classes_across(self, x: Array) -> NDArray[np.uint8]:
        """The ground's class at each distance from the centre line, side roads apart."""
        away = np.abs(x)
        classes = np.full(len(x), labels.TREE, np.uint8)
        classes[away < self.wall + 0.15] = labels.PAVEMENT
        classes[away < self.kerb] = labels.ROAD
        return classes

    def markings(self, start: float, end: float) -> Iterator[tuple[Array, Color, int]]:
        """What is painted on the road between two y: (street points [4, 3], colour, label)."""
        step = self.dash * 2.5
        for i in range(int(start // step), int(end // step) + 1):
            yield _rectangle(-0.07, 0.07, i * step, i * step + self.dash), WHITE, labels.ROAD
        half = self.kerb - 0.2
        for center in self.crossings(start, end):
            for stripe in np.arange(-half, half, 1.0).tolist():
                yield (
                    _rectangle(stripe, stripe + 0.52, center - 1.5, center + 1.5),
                    WHITE,
                    labels.ROAD,
                )
            for y in (center - 3.2, center + 3.0):
                yield _rectangle(-half, half, y, y + 0.2), WHITE, labels.ROAD

    def crossings(self, start: float, end: float) -> Iterator[float]:
        """The y of the zebra crossings in an interval."""
        first = int(np.ceil((start - self.crossing_at) / self.crossing_every))
        last = int(np.floor((end - self.crossing_at) / self.crossing_every))
        for i in range(first, last + 1):
            yield self.crossing_at + i * self.crossing_every


def _rectangle(left: float, right: float, near: float, far: float) -> Array:
    return np.array(
        [[left, far, 0], [right, far, 0], [right, near, 0], [left, near, 0]], dtype=float
    )
