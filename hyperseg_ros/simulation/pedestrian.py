"""Pedestrians: people who walk along the pavement or wait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.figure import Figure, Look
from hyperseg_ros.simulation.light import Color
from hyperseg_ros.simulation.painter import Painter
from hyperseg_ros.simulation.shapes import ellipse, limb

SHOES: Color = (30, 30, 32)


@dataclass(frozen=True)
class Pedestrian:
    """A walker at (x, y); heading in radians from +y towards +x, phase of the stride in radians."""

    x: float
    y: float
    heading: float
    phase: float
    walking: bool
    look: Look

    def paint(self, painter: Painter) -> None:
        figure = Figure.of(painter, self.x, self.y, labels.PEDESTRIAN)
        if figure is None:
            return
        for side, tone in ((-1, 0.85), (1, 1.0)):
            self._paint_leg(figure, side, tone)
        self._paint_trunk(figure)
        self._paint_head(figure)

    @property
    def _sideways(self) -> float:
        """0: seen from the front or from behind; 1: from the side."""
        return float(abs(np.sin(self.heading)))

    @property
    def _facing(self) -> float:
        """Where a figure seen from the side looks: 1 right, -1 left."""
        return float(np.sign(np.sin(self.heading))) or 1.0

    @property
    def _swing(self) -> float:
        """How far the limbs are from the middle of the stride, metres."""
        return float(np.sin(self.phase) * 0.38 * (1 if self.walking else 0.15))

    def _paint_leg(self, figure: Figure, side: int, tone: float) -> None:
        h, swing, sideways = self.look.height, self._swing, self._sideways
        stance = 0.05 + 0.06 * (1 - sideways)
        lift = 0.06 * max(0.0, side * np.cos(self.phase)) * (1 if self.walking else 0)
        raised = 0.08 * (1 - sideways) * max(side * swing, 0)
        hip = (side * stance * 0.8, h * 0.5)
        knee = (side * stance + side * swing * 0.55 * sideways * self._facing, h * 0.27)
        foot = (side * stance + side * swing * sideways * self._facing, 0.04 + lift + raised)
        sole = foot[1] - 0.01
        toes = (foot[0] + 0.11 * (self._facing * sideways + 0.3), sole)
        figure.fill(limb(hip, knee, 0.18, 0.14), self.look.trousers, tone)
        figure.fill(limb(knee, foot, 0.14, 0.1), self.look.trousers, tone)
        figure.fill(limb((foot[0] - 0.07, sole), toes, 0.08, 0.07), SHOES, tone)

    def _paint_trunk(self, figure: Figure) -> None:
        """Arms, coat and bag, from the far arm to the near one."""
        look, h = self.look, self.look.height
        neck, hem = h * 0.83, h * (0.36 if look.skirted else 0.47)
        wide = 0.21 * (1 - 0.35 * self._sideways)
        swing = self._swing * 0.6 * self._sideways * self._facing
        elbow = (neck - 0.06, h * 0.47)
        far_arm = limb((-wide * 0.95, elbow[0]), (-wide - 0.02 - swing, elbow[1]), 0.12, 0.09)
        figure.fill(far_arm, look.coat, 0.75)
        coat = np.array(
            [
                (-wide, neck - 0.03),
                (-0.07, neck + 0.02),
                (0.07, neck + 0.02),
                (wide, neck - 0.03),
                (wide * 0.86, hem),
                (-wide * 0.86, hem),
            ]
        )
        figure.fill(coat, look.coat)
        figure.fill(coat * (0.5, 1.0) + (wide * 0.42, 0), look.coat, 0.88)
        near_arm = limb((wide * 0.95, elbow[0]), (wide + 0.02 + swing, elbow[1]), 0.12, 0.09)
        figure.fill(near_arm, look.coat, 0.92)
        if look.bag:
            bag = limb((wide + 0.06, h * 0.47), (wide + 0.06, h * 0.3), 0.26, 0.3)
            figure.fill(bag, look.trousers, 0.7)

    def _paint_head(self, figure: Figure) -> None:
        look, h = self.look, self.look.height
        figure.fill(ellipse((0, h * 0.925), 0.085, 0.12), look.skin)
        if np.cos(self.heading) > -0.2:  # the back of the head
            figure.fill(ellipse((0, h * 0.94), 0.092, 0.11), look.hair)
        else:
            figure.fill(ellipse((0, h * 0.965), 0.092, 0.075), look.hair)


@dataclass(frozen=True)
class Walker:
    """A pedestrian who is at y when the camera passes there, and walks along the pavement."""

    x: float
    y: float
    speed: float  # metres a second along +y; 0: waits
    phase: float  # radians
    look: Look

    def at(self, time: float, passed: float) -> Pedestrian:
        """The pedestrian at a time, seconds, when the camera passes y at `passed`."""
        y = self.y + self.speed * np.clip(time - passed, -30, 30)
        heading = 0.0 if self.speed > 0 else np.pi
        turn = 0.45 if self.speed else 1.35
        sense = 1 if self.speed else np.sign(np.sin(self.phase * 3))
        heading += turn * np.sin(self.phase) * sense
        phase = self.phase + time * abs(self.speed) * 4.6
        return Pedestrian(self.x, y, heading, phase, self.speed != 0, self.look)
