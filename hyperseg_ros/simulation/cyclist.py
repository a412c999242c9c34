"""Cyclists: people on bicycles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.figure import Figure, Look
from hyperseg_ros.simulation.light import Color
from hyperseg_ros.simulation.painter import Painter
from hyperseg_ros.simulation.shapes import ellipse, limb

TYRES: Color = (28, 28, 28)
TUBES = (
    ((-0.52, 0.34), (-0.1, 0.3)),
    ((-0.1, 0.3), (0.42, 0.8)),
    ((-0.1, 0.3), (-0.22, 0.85)),
    ((-0.2, 0.8), (0.4, 0.78)),
    ((0.52, 0.34), (0.4, 0.95)),
)
"""A bicycle's frame: tubes between points (forward, up), metres."""


@dataclass(frozen=True)
class Cyclist:
    """A rider on a bicycle at (x, y), heading 1 along +y or -1; phase of the pedals in radians."""

    x: float
    y: float
    heading: int
    phase: float
    look: Look
    frame: Color
    helmet: Color | None
    pannier: bool

    def paint(self, painter: Painter) -> None:
        figure = Figure.of(painter, self.x, self.y, labels.BICYCLIST)
        if figure is None:
            return
        # The nearer the bicycle passes, the more of its side is seen.
        ray = np.array([self.x - painter.camera.x, self.y - painter.camera.y])
        aside, ahead = ray / max(float(np.hypot(*ray)), 1e-6)
        view = _View(float(-aside * self.heading), float(ahead * self.heading))
        self._paint_wheels(figure, view)
        self._paint_frame(figure, view)
        for side, tone in ((-1, 0.85), (1, 1.0)):
            self._paint_leg(figure, view, side, tone)
        self._paint_luggage(figure, view)
        self._paint_rider(figure, view)

    def _paint_wheels(self, figure: Figure, view: _View) -> None:
        radius = 0.34
        wide = max(radius * view.broad, 0.055)
        for axle in (-0.52, 0.52):
            center = view.at(axle, radius)
            rim = ellipse(center, wide, radius, 16)
            if wide > 0.08:
                figure.blend(rim, (50, 50, 52), 0.35)  # spokes
                inner = ellipse(center, wide * 0.86, radius * 0.86, 16)
                tyre = np.concatenate([rim, rim[:1], inner[:1], inner[::-1]])
                figure.fill(tyre, TYRES)
            else:
                figure.fill(rim, TYRES)

    def _paint_frame(self, figure: Figure, view: _View) -> None:
        for start, end in TUBES:
            figure.fill(limb(view.at(*start), view.at(*end), 0.07, 0.07), self.frame)
        middle, reach = view.at(0.42, 1.0)[0], 0.28 * view.narrow
        handlebar = limb((middle - reach - 0.03, 1.0), (middle + reach + 0.03, 1.0), 0.05, 0.05)
        figure.fill(handlebar, (35, 35, 36))

    def _paint_leg(self, figure: Figure, view: _View, side: int, tone: float) -> None:
        turn, lift = side * np.cos(self.phase), side * np.sin(self.phase)
        pedal = view.at(-0.05 + 0.16 * turn, 0.36 + 0.16 * lift, side * 0.1)
        hip = view.at(-0.2, 0.98, side * 0.09)
        knee = ((hip[0] + pedal[0]) / 2 + 0.2 * view.stretch, (hip[1] + pedal[1]) / 2 + 0.06)
        figure.fill(limb(hip, knee, 0.19, 0.15), self.look.trousers, tone)
        figure.fill(limb(knee, pedal, 0.14, 0.1), self.look.trousers, tone)

    def _paint_luggage(self, figure: Figure, view: _View) -> None:
        """Panniers, and the mudguard with its lamp."""
        if self.pannier:
            wide = 0.16 * view.broad
            for side in (-1, 1):
                top, bottom = view.at(-0.5, 0.78, side * 0.15), view.at(-0.5, 0.42, side * 0.17)
                bag = limb(top, bottom, 0.16 + wide, 0.2 + wide)
                figure.fill(bag, (45, 42, 40))
        x = view.at(-0.85, 0.5)[0]
        lamp: Color = (40, 40, 190) if view.tilt > 0 else (215, 220, 222)
        figure.fill(limb((x, 0.42), (x, 0.72), 0.09, 0.09), lamp)

    def _paint_rider(self, figure: Figure, view: _View) -> None:
        look = self.look
        shoulder, seat = view.at(0.2, 1.48), view.at(-0.22, 0.95)
        back = limb(seat, shoulder, 0.26 + 0.08 * view.narrow, 0.24 + 0.2 * view.narrow)
        figure.fill(back, look.coat)
        for side in (-1, 1):
            hand = view.at(0.42, 1.02, side * 0.24)
            arm = limb((shoulder[0] + side * 0.2 * view.narrow, 1.43), hand, 0.11, 0.08)
            figure.fill(arm, look.coat, 0.88)
        x, z = view.at(0.3, 1.66)
        figure.fill(ellipse((x, z), 0.1, 0.125), look.skin)
        figure.fill(ellipse((x, z + 0.05), 0.125, 0.1), self.helmet or look.hair)


@dataclass(frozen=True)
class _View:
    """A bicycle's plane seen at an angle."""

    stretch: float  # how far a metre forward lies to the right, -1 to 1
    tilt: float  # 1: rides away from us; -1: towards us

    @property
    def broad(self) -> float:
        return abs(self.stretch)

    @property
    def narrow(self) -> float:
        return abs(self.tilt)

    def at(self, forward: float, up: float, side: float = 0.0) -> tuple[float, float]:
        """A point of the bicycle in the figure's plane; side is to the rider's right."""
        return (forward * self.stretch + side * self.narrow, up)


@dataclass(frozen=True)
class Rider:
    """A cyclist who is at y when the camera passes there."""

    x: float
    y: float
    speed: float  # metres a second along +y
    look: Look
    frame: Color
    helmet: Color | None
    pannier: bool

    def at(self, time: float, passed: float) -> Cyclist:
        """The cyclist at a time, seconds, when the camera passes y at `passed`."""
        y = self.y + self.speed * np.clip(time - passed, -25, 25)
        heading = 1 if self.speed > 0 else -1
        phase = time * abs(self.speed) * 1.6
        return Cyclist(self.x, y, heading, phase, self.look, self.frame, self.helmet, self.pannier)
