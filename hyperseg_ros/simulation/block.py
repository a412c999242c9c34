"""Blocks: the street in pieces, each with what stands and moves in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from hyperseg_ros.simulation.buildings import Building
from hyperseg_ros.simulation.camera import Array
from hyperseg_ros.simulation.cyclist import Rider
from hyperseg_ros.simulation.light import Color
from hyperseg_ros.simulation.painter import Painter
from hyperseg_ros.simulation.pedestrian import Walker

LENGTH = 24.0  # metres of a block


class Thing(Protocol):
    """Something with a place along the street that can paint itself."""

    @property
    def y(self) -> float:
        """Distance along the street, metres; farther things are painted first."""

    def paint(self, painter: Painter) -> None:
        """Paints it, if any of it is in the picture."""


@dataclass
class Block:
    """A piece of street, LENGTH metres long."""

    buildings: list[Building] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    walkers: list[Walker] = field(default_factory=list)
    riders: list[Rider] = field(default_factory=list)
    surfaces: list[tuple[Array, Color, int]] = field(default_factory=list)  # points, colour, label
    shadows: list[Array] = field(default_factory=list)  # ground polygons [N, 2] (x, y)
