"""The planning of a street: what stands and moves in each of its blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.block import LENGTH, Block
from hyperseg_ros.simulation.buildings import Building
from hyperseg_ros.simulation.cyclist import Rider
from hyperseg_ros.simulation.fence import Fence, planks
from hyperseg_ros.simulation.figure import Look
from hyperseg_ros.simulation.fronts import Style, front, plain
from hyperseg_ros.simulation.furniture import Bollard, Lamp, Sign, TrafficLight
from hyperseg_ros.simulation.layout import Layout
from hyperseg_ros.simulation.light import Color, Light, bgr
from hyperseg_ros.simulation.painter import Image
from hyperseg_ros.simulation.pedestrian import Walker
from hyperseg_ros.simulation.shapes import circle
from hyperseg_ros.simulation.vegetation import Flora, Hedge, Plant
from hyperseg_ros.simulation.vehicle_body import PROFILES, Profile
from hyperseg_ros.simulation.vehicles import Vehicle, draw_paint

MOUTH = 7.5  # metres of a side road's width
ZONE_BLOCKS = 3  # blocks over which a side of the street keeps its character
ZONES = ("shops", "houses", "park", "offices")
ZONE_SHARES = (0.36, 0.3, 0.18, 0.16)
BUSY = {"shops": 1.25, "houses": 0.6, "park": 0.6, "offices": 0.9}  # pedestrians, relative

RAILINGS: tuple[Color, ...] = (
    (45, 48, 50),
    (60, 85, 50),
    (150, 152, 150),
    (190, 195, 198),
    (95, 60, 40),
)
METALS: tuple[Color, ...] = ((120, 124, 122), (70, 74, 74), (60, 78, 55), (160, 164, 165))
HELMETS: tuple[Color | None, ...] = (
    None,
    (235, 235, 235),
    (40, 40, 190),
    (60, 210, 220),
    (30, 30, 30),
)
HIGH_VISIBILITY: Color = (60, 235, 215)

# shape, face, rim
TRAFFIC_SIGNS: tuple[tuple[str, Color, Color], ...] = (
    ("disc", (235, 235, 235), (35, 30, 200)),
    ("disc", (180, 90, 25), (35, 30, 200)),
    ("triangle", (238, 238, 238), (35, 30, 200)),
    ("square", (190, 100, 20), (225, 225, 225)),
    ("disc", (190, 100, 30), (235, 235, 235)),
    ("panel", (235, 235, 235), (200, 120, 40)),
    ("panel", (70, 110, 20), (230, 230, 230)),
    ("square", (40, 190, 235), (40, 40, 40)),
    ("panel", (50, 45, 185), (235, 235, 235)),
)


@dataclass(frozen=True)
class Character:
    """How busy a street is, and the make of its furniture."""

    crowd: float  # pedestrians a block and side
    cyclists: float  # a block and side
    parked: float  # share of the parking places in use
    railings: Color
    boards: list[Image]
    metal: Color
    lamp: tuple[float, float]  # height, width of its post; metres
    fleet: tuple[Profile, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Character:
        """A street's character, at random."""
        return cls(
            crowd=float(rng.uniform(1.2, 4.0)),
            cyclists=float(rng.uniform(0.2, 0.5)),
            parked=float(rng.uniform(0.35, 0.9)),
            railings=RAILINGS[int(rng.integers(len(RAILINGS)))],
            boards=planks(rng),
            metal=METALS[int(rng.integers(len(METALS)))],
            lamp=(float(rng.uniform(6.0, 8.5)), float(rng.uniform(0.2, 0.3))),
            fleet=tuple(PROFILES[k] for k in rng.choice(4, 24, p=[0.4, 0.25, 0.22, 0.13])),
        )

    def draw_profile(self, rng: np.random.Generator) -> Profile:
        """One of the street's cars and vans."""
        return self.fleet[int(rng.integers(len(self.fleet)))]


class Planner:
    """Plans blocks; each is a pure function of (seed, index)."""

    def __init__(
        self,
        seed: int,
        layout: Layout,
        light: Light,
        flora: Flora,
        character: Character,
        style: Style,
    ) -> None:
        self.seed = seed
        self.layout = layout
        self.light = light
        self.flora = flora
        self.character = character
        self.style = style

    def plan(self, index: int) -> Block:
        """The block from y = index * LENGTH on."""
        block = Block()
        for side in (-1, 1):
            _Side(self, block, index, side).plan()
        return block


class _Side:
    """One side of one block while it is planned."""

    def __init__(self, planner: Planner, block: Block, index: int, side: int) -> None:
        self.layout, self.light = planner.layout, planner.light
        self.flora, self.character = planner.flora, planner.character
        self.style = planner.style
        self.block = block
        self.side = side
        # Seeds must not be negative; the street behind the start has negative indices.
        self.rng = np.random.default_rng([planner.seed, 1, index + (1 << 20), side + 1])
        zone = index // ZONE_BLOCKS + (1 << 20)
        self.zone_rng = np.random.default_rng([planner.seed, 2, zone, side + 1])
        self.zone = str(self.zone_rng.choice(ZONES, p=ZONE_SHARES))
        self.start, self.end = index * LENGTH, (index + 1) * LENGTH
        self.junction = index % self.layout.junction_every == 1

    def plan(self) -> None:
        if self.junction:
            self.add_side_road()
        setback = {
            "shops": 0.0,
            "houses": float(self.zone_rng.uniform(3.5, 6.5)),
            "park": 14.0,
            "offices": float(self.zone_rng.uniform(0, 2.5)),
        }[self.zone]
        if self.zone != "park":
            self.add_buildings(setback)
        self.add_boundary(setback)
        self.add_plants(setback)
        self.add_furniture()
        self.add_parked_cars()
        self.add_people()

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def somewhere(self) -> float:
        """Some y in the block."""
        return self.uniform(self.start, self.end)

    def add_side_road(self) -> None:
        side, kerb, start = self.side, self.layout.kerb, self.start
        near, far = side * (kerb - 0.3), side * 20
        mouth = [
            (near, start, 0),
            (near, start + MOUTH, 0),
            (far, start + MOUTH, 0),
            (far, start, 0),
        ]
        self.block.surfaces.append((np.array(mouth), self.layout.asphalt, labels.ROAD))
        post = side * (kerb + 0.5)
        if self.rng.random() < 0.7:
            self.block.things.append(TrafficLight(post, start - 1.0, self.uniform(0, 15)))
            if self.rng.random() < 0.5:
                light = TrafficLight(post, start + MOUTH + 1.5, self.uniform(0, 15))
                self.block.things.append(light)
        self.start += MOUTH + 0.5

    def add_buildings(self, setback: float) -> None:
        x = self.side * (self.layout.wall + setback)
        y = self.start
        while y < self.end - 4:
            width = self.uniform(12, 24) if self.zone == "offices" else self.uniform(6, 13)
            width = min(width, self.end - y)
            if self.end - y - width < 4:
                width = self.end - y
            self.block.buildings.append(self.draw_building(x, y, width))
            y += width
        sun, side = self.light.sun, self.side
        if sun[0] * side > 0.15 and self.light.direct > 0.2:  # their shadow falls on the street
            reach = x - side * min(9.0 * abs(sun[0]) / sun[2], 16.0)
            ys = (self.start, self.end, self.end, self.start)
            self.block.shadows.append(np.column_stack([(x, x, reach, reach), ys]))

    def draw_building(self, x: float, y: float, width: float) -> Building:
        rng, zone = self.rng, self.zone
        # All three are drawn, whichever is used.
        floors = {
            "shops": int(rng.integers(2, 5)),
            "houses": 2 + int(rng.random() < 0.3),
            "offices": int(rng.integers(3, 7)),
        }[zone]
        height = floors * 3.1 + 0.6 + self.uniform(0, 0.6)
        gap = self.uniform(1, 3) if zone == "houses" and rng.random() < 0.5 else 0.0
        depth = self.uniform(7, 11)
        gray = self.uniform(55, 95)
        roof = (gray, gray * self.uniform(0.95, 1.05), gray * self.uniform(1.0, 1.5))
        kind = {"shops": "shop", "houses": "house", "offices": "office"}[zone]
        texture = front(rng, width - gap, height, kind, self.style)
        wall = bgr(texture[-1].reshape(-1, 3).mean(0) * 0.9 + 10)
        gable = plain(rng, depth, height, wall)
        rise = self.uniform(2, 3.5) if zone != "offices" and rng.random() < 0.8 else 0.0
        chimney = bool(rng.random() < 0.6)
        end = y + width - gap
        return Building(x, y, end, height, depth, rise, wall, roof, texture, gable, chimney)

    def add_boundary(self, setback: float) -> None:
        """Fences and hedges of front gardens, and guard rails at the kerb."""
        layout, character = self.layout, self.character
        kind = self.zone_rng.random()
        boards = character.boards if self.zone_rng.random() < 0.35 else None
        tall = float(self.zone_rng.uniform(1.0, 1.9))
        if self.zone in ("houses", "park") or (self.zone == "offices" and setback > 1.2):
            if kind < 0.68:
                self.add_fence(layout.wall + 0.15, self.start, self.end, tall, boards)
            elif kind < 0.9:
                x = self.side * (layout.wall + 0.2)
                hedge = Hedge(x, self.start, self.end, tall, self.flora.hedge)
                self.block.things.append(hedge)
        if self.rng.random() < 0.22 and not self.junction:
            self.add_fence(layout.kerb + 0.25, self.start + 2, self.start + 14, 1.1, None)

    def add_fence(
        self, away: float, start: float, end: float, height: float, boards: list[Image] | None
    ) -> None:
        panels = max(int((end - start) / 3), 1)
        for y0, y1 in pairwise(np.linspace(start, end, panels + 1)):
            color = self.character.railings
            fence = Fence(self.side * away, float(y0), float(y1), height, color, boards)
            self.block.things.append(fence)

    def add_plants(self, setback: float) -> None:
        rng, layout = self.rng, self.layout

        def beyond_wall(near: float, far: float) -> float:
            return self.side * (layout.wall + rng.uniform(near, far))

        if self.zone in ("shops", "offices") and rng.random() < 0.55:
            x = self.side * (layout.kerb + 0.9)
            self.add_tree(x, self.uniform(self.start + 2, self.end), 0.85)
        if self.zone == "houses":
            for _ in range(int(rng.integers(0, 3))):
                self.add_tree(beyond_wall(1.2, setback), self.somewhere(), 0.8)
        if self.zone == "park":
            for _ in range(int(rng.integers(4, 7))):
                self.add_tree(beyond_wall(2.0, 16.0), self.somewhere(), 1.25)
        if self.zone in ("houses", "park"):
            for _ in range(int(rng.integers(1, 4))):
                size = self.uniform(1.0, 2.2)
                x, y = beyond_wall(0.9, 3.5), self.somewhere()
                sprite = self.flora.bushes[int(rng.integers(len(self.flora.bushes)))]
                self.block.things.append(Plant(x, y, size * 1.5, size, sprite))

    def add_tree(self, x: float, y: float, scale: float) -> None:
        height = self.uniform(5.5, 10) * scale
        width = height * self.uniform(0.65, 0.95)
        sprite = self.flora.trees[int(self.rng.integers(len(self.flora.trees)))]
        self.block.things.append(Plant(x, y, width, height, sprite))
        sun = self.light.sun
        if self.light.direct > 0.2:
            long = min(height * 0.6 / sun[2], 12)
            center = np.array([x - sun[0] * long, y - sun[1] * long])
            ragged = 1 + 0.2 * np.sin(np.linspace(0, 2 * np.pi, 17)[:-1] * 5 + y)
            self.block.shadows.append(center + circle(16) * width * 0.45 * ragged[:, None])

    def add_furniture(self) -> None:
        rng, layout, side, things = self.rng, self.layout, self.side, self.block.things
        post = side * (layout.kerb + 0.45)
        height, wide = self.character.lamp
        # Lamps of the two sides stand staggered.
        lamp_y = self.start + (11.0 if side > 0 else 4.0)
        things.append(Lamp(post, lamp_y, height, wide, -side * 1.5, self.character.metal))
        if rng.random() < 0.8:
            shape, face, rim = TRAFFIC_SIGNS[int(rng.integers(len(TRAFFIC_SIGNS)))]
            size = self.uniform(0.7, 1.0) * (1.3 if shape == "panel" else 1.0)
            away = side != layout.drive_side and rng.random() < 0.5
            y, center = self.uniform(self.start + 6, self.end), self.uniform(2.2, 2.9)
            things.append(Sign(post, y, center, size, shape, face, rim, away))
        if rng.random() < 0.3:  # an advertisement
            face, rim = bgr(rng.uniform(30, 230, 3)), bgr(rng.uniform(20, 240, 3))
            x, y, size = side * (layout.wall - 0.7), self.somewhere(), self.uniform(0.9, 1.3)
            things.append(Sign(x, y, 1.9, size, "panel", face, rim, False))
        if rng.random() < 0.25:
            y, x = self.uniform(self.start, self.end - 6), side * (layout.kerb + 0.35)
            things.extend(Bollard(x, y + i * 1.6, 1.0, (45, 46, 48)) for i in range(4))
        for crossing in layout.crossings(self.start, self.end - 1e-6):
            x = side * (layout.kerb + 0.4)
            things.append(Bollard(x, crossing + 2.2, 2.9, (225, 228, 228), beacon=True))

    def add_parked_cars(self) -> None:
        rng, layout, character = self.rng, self.layout, self.character
        if not layout.parks(self.side):
            return
        y = self.start + self.uniform(1, 3)
        crossings = list(layout.crossings(self.start - 6, self.end + 6))
        while y < self.end - 3:
            clear = all(abs(y - crossing) > 6 for crossing in crossings)
            if clear and rng.random() < character.parked:
                forward = self.side == layout.drive_side or rng.random() < 0.2
                x = self.side * (layout.kerb - 1.1) + float(rng.normal(0, 0.06))
                profile, color = character.draw_profile(rng), draw_paint(rng)
                car = Vehicle(x, y + 2.2, 1 if forward else -1, profile, color)
                self.block.things.append(car)
            y += self.uniform(5.6, 6.4)

    def add_people(self) -> None:
        rng, layout, character = self.rng, self.layout, self.character
        for _ in range(int(rng.poisson(character.crowd * BUSY[self.zone]))):
            walks = rng.random() < 0.85
            speed = float(rng.choice([-1, 1]) * rng.uniform(0.9, 1.6)) if walks else 0.0
            x = self.side * self.uniform(layout.kerb + 0.6, layout.wall - 0.4)
            y, phase = self.somewhere(), self.uniform(0, 6.28)
            self.block.walkers.append(Walker(x, y, speed, phase, Look.draw(rng)))
        if rng.random() < character.cyclists:
            speed = self.uniform(3, 5) * (1 if self.side == layout.drive_side else -1)
            strip = layout.strip if layout.parks(self.side) else 0.0
            x = self.side * (layout.kerb - strip - 0.55)
            helmet = HELMETS[int(rng.integers(len(HELMETS)))]
            look = Look.draw(rng)
            if rng.random() < 0.3:
                look = replace(look, coat=HIGH_VISIBILITY)
            y, frame = self.somewhere(), draw_paint(rng)
            pannier = bool(rng.random() < 0.45)
            self.block.riders.append(Rider(x, y, speed, look, frame, helmet, pannier))
