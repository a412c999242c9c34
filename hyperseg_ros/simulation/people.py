"""Pedestrians and cyclists: jointed flat figures that face the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.camera import Array
from hyperseg_ros.simulation.light import Colour, bgr
from hyperseg_ros.simulation.painter import Painter
from hyperseg_ros.simulation.shapes import ellipse, limb

CLOTHES: tuple[Colour, ...] = (
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
TROUSERS: tuple[Colour, ...] = (
    (40, 38, 38),
    (95, 65, 45),
    (70, 80, 90),
    (60, 60, 62),
    (120, 95, 75),
)
SKIN: tuple[Colour, ...] = ((150, 175, 215), (120, 150, 195), (70, 95, 140), (50, 65, 100))
HAIR: tuple[Colour, ...] = ((25, 28, 32), (40, 60, 90), (90, 130, 160), (120, 120, 122))

SHOES: Colour = (30, 30, 32)
TYRES: Colour = (28, 28, 28)
TUBES = (
    ((-0.52, 0.34), (-0.1, 0.3)),
    ((-0.1, 0.3), (0.42, 0.8)),
    ((-0.1, 0.3), (-0.22, 0.85)),
    ((-0.2, 0.8), (0.4, 0.78)),
    ((0.52, 0.34), (0.4, 0.95)),
)
"""A bicycle's frame: tubes between points (forward, up), metres."""

NEAREST, SEEN = 2.8, 75.0  # metres between which people are drawn
MARGIN = 1.5  # metres that a figure may reach from its foot
SMALLEST = 7.0  # pixels a metre


@dataclass(frozen=True)
class Look:
    """A person's build and clothes."""

    height: float  # metres
    coat: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    skirted: bool  # a long coat
    bag: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Look:
        """Somebody, at random."""

        def pick(options: tuple[Colour, ...]) -> Colour:
            colour = options[int(rng.integers(len(options)))]
            return bgr(np.array(colour) * rng.uniform(0.8, 1.2))

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
class _Figure:
    """A flat figure that faces the camera: paints polygons in metres (right, up) from its foot."""

    painter: Painter
    label: int
    foot: Array  # pixels
    depth: float  # metres
    scale: float  # pixels a metre

    @classmethod
    def of(cls, painter: Painter, x: float, y: float, label: int) -> _Figure | None:
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

    def fill(self, polygon: Array, colour: Colour, tone: float = 1.0) -> None:
        """A polygon [N, 2] in a colour; tone is its own share of the light."""
        lit = self._soft_light * tone
        self.painter.fill(
            self._pixels(polygon), self.painter.hazed(colour, self.depth, lit), self.label
        )

    def blend(self, polygon: Array, colour: Colour, opacity: float) -> None:
        """A see-through polygon [N, 2]."""
        hazed = self.painter.hazed(colour, self.depth)
        self.painter.blend(self._pixels(polygon), hazed, opacity, self.label)

    @property
    def _soft_light(self) -> float:
        return 0.75 + 0.35 * (1 - self.painter.light.direct)

    def _pixels(self, polygon: Array) -> Array:
        return self.foot + polygon * (self.scale, -self.scale)


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
        figure = _Figure.of(painter, self.x, self.y, labels.PEDESTRIAN)
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

    def _paint_leg(self, figure: _Figure, side: int, tone: float) -> None:
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

    def _paint_trunk(self, figure: _Figure) -> None:
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

    def _paint_head(self, figure: _Figure) -> None:
        look, h = self.look, self.look.height
        figure.fill(ellipse((0, h * 0.925), 0.085, 0.12), look.skin)
        if np.cos(self.heading) > -0.2:  # the back of the head
            figure.fill(ellipse((0, h * 0.94), 0.092, 0.11), look.hair)
        else:
            figure.fill(ellipse((0, h * 0.965), 0.092, 0.075), look.hair)


@dataclass(frozen=True)
class Cyclist:
    """A rider on a bicycle at (x, y), heading 1 along +y or -1; phase of the pedals in radians."""

    x: float
    y: float
    heading: int
    phase: float
    look: Look
    frame: Colour
    helmet: Colour | None
    pannier: bool

    def paint(self, painter: Painter) -> None:
        figure = _Figure.of(painter, self.x, self.y, labels.BICYCLIST)
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

    def _paint_wheels(self, figure: _Figure, view: _View) -> None:
        radius = 0.34
        wide = max(radius * view.broad, 0.055)
        for axle in (-0.52, 0.52):
            centre = view.at(axle, radius)
            rim = ellipse(centre, wide, radius, 16)
            if wide > 0.08:
                figure.blend(rim, (50, 50, 52), 0.35)  # spokes
                inner = ellipse(centre, wide * 0.86, radius * 0.86, 16)
                tyre = np.concatenate([rim, rim[:1], inner[:1], inner[::-1]])
                figure.fill(tyre, TYRES)
            else:
                figure.fill(rim, TYRES)

    def _paint_frame(self, figure: _Figure, view: _View) -> None:
        for start, end in TUBES:
            figure.fill(limb(view.at(*start), view.at(*end), 0.07, 0.07), self.frame)
        middle, reach = view.at(0.42, 1.0)[0], 0.28 * view.narrow
        handlebar = limb((middle - reach - 0.03, 1.0), (middle + reach + 0.03, 1.0), 0.05, 0.05)
        figure.fill(handlebar, (35, 35, 36))

    def _paint_leg(self, figure: _Figure, view: _View, side: int, tone: float) -> None:
        turn, lift = side * np.cos(self.phase), side * np.sin(self.phase)
        pedal = view.at(-0.05 + 0.16 * turn, 0.36 + 0.16 * lift, side * 0.1)
        hip = view.at(-0.2, 0.98, side * 0.09)
        knee = ((hip[0] + pedal[0]) / 2 + 0.2 * view.stretch, (hip[1] + pedal[1]) / 2 + 0.06)
        figure.fill(limb(hip, knee, 0.19, 0.15), self.look.trousers, tone)
        figure.fill(limb(knee, pedal, 0.14, 0.1), self.look.trousers, tone)

    def _paint_luggage(self, figure: _Figure, view: _View) -> None:
        """Panniers, and the mudguard with its lamp."""
        if self.pannier:
            wide = 0.16 * view.broad
            for side in (-1, 1):
                top, bottom = view.at(-0.5, 0.78, side * 0.15), view.at(-0.5, 0.42, side * 0.17)
                bag = limb(top, bottom, 0.16 + wide, 0.2 + wide)
                figure.fill(bag, (45, 42, 40))
        x = view.at(-0.85, 0.5)[0]
        lamp: Colour = (40, 40, 190) if view.tilt > 0 else (215, 220, 222)
        figure.fill(limb((x, 0.42), (x, 0.72), 0.09, 0.09), lamp)

    def _paint_rider(self, figure: _Figure, view: _View) -> None:
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
