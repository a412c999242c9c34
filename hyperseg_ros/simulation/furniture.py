"""Street furniture: lamp posts, bollards, signs, traffic lights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.camera import Array
from hyperseg_ros.simulation.light import Color
from hyperseg_ros.simulation.painter import THINNEST, Painter
from hyperseg_ros.simulation.shapes import circle, ellipse, rectangle

SIGN_SEEN = 90.0  # metres from which signs are drawn

BOARDS: dict[str, Array] = {
    "disc": circle(16) / 2,
    "triangle": np.array([(0, -0.5), (0.55, 0.42), (-0.55, 0.42)]),
    "square": rectangle(-0.5, -0.5, 0.5, 0.5),
    "panel": rectangle(-0.5, -0.75, 0.5, 0.75),
}
"""Outlines of signs of size 1, rows down."""

SYMBOLS = {
    "triangle": (rectangle(-0.05, -0.12, 0.05, 0.26),),
    "other": (rectangle(-0.22, -0.08, 0.22, 0.02), rectangle(-0.15, 0.1, 0.15, 0.18)),
}

SIGNAL_COLORS: tuple[Color, ...] = ((40, 40, 250), (30, 170, 250), (140, 235, 60))
SIGNAL_SECONDS = 5  # that each colour lasts


def _post(
    painter: Painter,
    x: float,
    y: float,
    heights: tuple[float, float],
    wide: float,
    color: Color,
) -> bool:
    """Paints a vertical post, wide metres across; False if none of it can be seen."""
    camera = painter.camera
    if not camera.sees(x, y, 2.0, camera.fx * wide / THINNEST):
        return False
    bottom, top = heights
    ends, depths = camera.project(np.array([(x, y, bottom), (x, y, top)]))
    depth = float(depths[0])
    if depth < 1.5:
        return False
    half = camera.fx * wide / depth / 2
    if 2 * half < THINNEST:
        return False
    (u0, v0), (u1, v1) = ends
    right, right_top = (u0 + half, v0), (u1 + half * 0.75, v1)
    lit = painter.hazed(color, depth, 0.95)
    front = np.array([(u0 - half, v0), right, right_top, (u1 - half * 0.75, v1)])
    painter.fill(front, lit, labels.POLE)
    if half > 1.5:
        shaded = np.array([(u0 + half * 0.2, v0), right, right_top, (u1 + half * 0.15, v1)])
        b, g, r = lit
        painter.fill(shaded, (b * 0.72, g * 0.72, r * 0.72), labels.POLE)
    return True


@dataclass(frozen=True)
class Lamp:
    """A street lamp that reaches over the road."""

    x: float
    y: float
    height: float
    wide: float
    reach: float  # metres, signed, of the arm along x
    color: Color

    def paint(self, painter: Painter) -> None:
        x, y, h = self.x, self.y, self.height
        if not _post(painter, x, y, (0.0, h), self.wide, self.color):
            return
        _post(painter, x, y, (0.0, 1.2), self.wide * 1.5, self.color)
        end = x + self.reach
        arm = np.array([(x, y, h - 0.1), (end, y, h + 0.25), (end, y, h + 0.42), (x, y, h + 0.1)])
        painter.face(arm, self.color, labels.POLE, 0.9)
        low, high = h + 0.2, h + 0.46
        head = np.array(
            [
                (end - 0.45, y, low),
                (end + 0.45, y, low),
                (end + 0.35, y, high),
                (end - 0.35, y, high),
            ]
        )
        painter.face(head, (120, 122, 122), labels.POLE, 1.0)


@dataclass(frozen=True)
class Bollard:
    """A short post on the pavement; a beacon is striped and carries an amber globe, a sign."""

    x: float
    y: float
    height: float
    color: Color
    beacon: bool = False

    def paint(self, painter: Painter) -> None:
        seen = _post(painter, self.x, self.y, (0.0, self.height), 0.2, self.color)
        if not (seen and self.beacon):
            return
        for z in np.arange(0.2, self.height, 0.7).tolist():
            _post(painter, self.x, self.y, (z, z + 0.35), 0.2, (40, 40, 42))
        camera = painter.camera
        pixels, depths = camera.project(np.array([(self.x, self.y, self.height + 0.2)]))
        depth = float(depths[0])
        globe = pixels[0] + camera.fx * 0.27 / depth * circle(12)
        painter.fill(globe, painter.hazed((40, 165, 245), depth), labels.SIGN)


@dataclass(frozen=True)
class Sign:
    """A board that faces the traffic, on a post; shape is one of BOARDS."""

    x: float
    y: float
    center: float  # height of the board's centre, metres
    size: float
    shape: str
    face: Color
    rim: Color
    away: bool  # seen from behind

    def paint(self, painter: Painter) -> None:
        top = self.center + self.size * 0.3
        on_post = _post(painter, self.x, self.y, (0.0, top), 0.13, (128, 132, 132))
        if not painter.camera.sees(self.x, self.y, 2.0, SIGN_SEEN):
            return
        pixels, depths = painter.camera.project(np.array([(self.x, self.y, self.center)]))
        depth = float(depths[0])
        scale = painter.camera.fx / max(depth, 0.1)
        if depth < 1.5 or self.size * scale < 8 or not (on_post or self.size * scale >= 9):
            return
        outline = BOARDS[self.shape]
        board = pixels[0] + outline * self.size * scale
        if self.away:
            painter.fill(board, painter.hazed((105, 108, 110), depth, 0.85), labels.SIGN)
            return
        painter.fill(board, painter.hazed(self.rim, depth), labels.SIGN)
        inner = pixels[0] + outline * self.size * scale * 0.76
        painter.fill(inner, painter.hazed(self.face, depth), labels.SIGN)
        if self.size * scale > 9:
            ink = painter.hazed((30, 30, 30) if sum(self.face) > 380 else (235, 235, 235), depth)
            for bar in SYMBOLS.get(self.shape, SYMBOLS["other"]):
                painter.fill(pixels[0] + bar * self.size * scale, ink, labels.SIGN)


@dataclass(frozen=True)
class TrafficLight:
    """A signal head on a post; the lamp in use changes with time."""

    x: float
    y: float
    phase: float  # seconds

    def paint(self, painter: Painter) -> None:
        _post(painter, self.x, self.y, (0.0, 3.4), 0.15, (55, 57, 58))
        if not painter.camera.sees(self.x, self.y, 2.0, SIGN_SEEN):
            return
        pixels, depths = painter.camera.project(np.array([(self.x, self.y, 2.95)]))
        depth = float(depths[0])
        scale = painter.camera.fx / max(depth, 0.1)
        if depth < 1.5 or scale * 0.46 < 6:
            return
        box = rectangle(-0.26, -0.58, 0.26, 0.58) * scale
        painter.fill(pixels[0] + box, painter.hazed((34, 34, 36), depth), labels.SIGN)
        cycle = SIGNAL_SECONDS * len(SIGNAL_COLORS)
        lit = int((painter.time + self.phase) % cycle // SIGNAL_SECONDS)
        for i, (b, g, r) in enumerate(SIGNAL_COLORS):
            glow = 1.0 if i == lit else 0.18
            lamp = pixels[0] + ellipse((0, (i - 1) * 0.36), 0.13, 0.13) * scale
            painter.fill(lamp, painter.hazed((b * glow, g * glow, r * glow), depth), labels.SIGN)
