"""The world of one drive: the street, the traffic and the camera's way through it.

The street is planned block by block when it first comes into view. What moves is placed again for
every moment, so that any moment can be asked for, in any order.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from hyperseg_ros.simulation import block, figure
from hyperseg_ros.simulation.block import Block, Thing
from hyperseg_ros.simulation.camera import CenterLine
from hyperseg_ros.simulation.cyclist import Rider
from hyperseg_ros.simulation.fronts import BRITISH, Style
from hyperseg_ros.simulation.layout import Layout
from hyperseg_ros.simulation.light import Light, Weather
from hyperseg_ros.simulation.pedestrian import Walker
from hyperseg_ros.simulation.planner import Character, Planner
from hyperseg_ros.simulation.vegetation import Flora
from hyperseg_ros.simulation.vehicle_body import BUS, PROFILES
from hyperseg_ros.simulation.vehicles import Vehicle, draw_paint

BEHIND, AHEAD = 8.0, 150.0  # metres of street about the camera that are built
KEPT = 24  # blocks kept in memory
LAP = 240.0  # metres of road that an oncoming vehicle covers before another takes its place


class World:
    """One street and one drive down it; a pure function of the arguments.

    Args:
        seed: of street and traffic, 0 or more.
        weather: the light's; by default as the seed decides.
        style: of the buildings.
    """

    def __init__(self, seed: int, weather: Weather | None = None, style: Style = BRITISH) -> None:
        rng = np.random.default_rng([seed, 0])
        self.seed = seed
        self.layout = Layout.draw(rng)
        self.light = Light.draw(rng)
        if weather is not None:  # by a generator of its own: the street stays as it is
            self.light = Light.draw(np.random.default_rng([seed, 5]), weather)
        flora = Flora(rng)
        self.line = CenterLine.draw(rng)
        self.speed = float(rng.uniform(5.5, 11.0))  # metres a second, on average
        self._surge = float(rng.uniform(0, 6.28)), float(rng.uniform(0.15, 0.4))  # phase, rate
        self.character = Character.draw(rng)
        self._planner = Planner(seed, self.layout, self.light, flora, self.character, style)
        self._follows, self._gap = bool(rng.random() < 0.5), float(rng.uniform(10, 24))
        self._lead = PROFILES[int(rng.choice(5, p=[0.35, 0.25, 0.2, 0.12, 0.08]))]
        self._lead_color = draw_paint(rng)
        self._oncoming = [
            (float(rng.uniform(0, LAP)), float(rng.uniform(6, 12)))
            for _ in range(int(rng.integers(2, 6)))
        ]
        self._blocks: OrderedDict[int, Block] = OrderedDict()

    def travelled(self, time: float) -> float:
        """The camera's y at a time in seconds, metres."""
        phase, rate = self._surge
        surge = 0.35 / rate * (np.sin(time * rate + phase) - np.sin(phase))
        return float(self.speed * (time + surge))

    def blocks(self, start: float, end: float) -> list[Block]:
        """The blocks that touch an interval of y."""
        first, last = int(start // block.LENGTH), int(end // block.LENGTH)
        return [self._block(index) for index in range(first, last + 1)]

    def _block(self, index: int) -> Block:
        if index not in self._blocks:
            self._blocks[index] = self._planner.plan(index)
            while len(self._blocks) > KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(index)
        return self._blocks[index]

    def moving(self, time: float) -> Iterator[Thing]:
        """Everything that moves near the camera, where it is at a time in seconds."""
        here = self.travelled(time)
        yield from self._traffic(time, here)
        for piece in self.blocks(here - 2 * block.LENGTH, here + 110):
            persons: list[Walker | Rider] = [*piece.walkers, *piece.riders]
            for person in persons:
                seen = person.at(time, passed=person.y / self.speed)
                if 0 < seen.y - here < figure.SEEN:
                    yield seen

    def _traffic(self, time: float, here: float) -> Iterator[Vehicle]:
        lane = self.layout.drive_side * self.layout.lane / 2
        if self._follows:
            gap = self._gap * (1 + 0.2 * np.sin(time * 0.21))
            x, y = lane + 0.15 * np.sin(time * 0.4), here + gap + self._lead.length / 2
            braking = bool(np.sin(time * 0.7) > 0.6)
            yield Vehicle(x, y, 1, self._lead, self._lead_color, braking)
        for number, (start, speed) in enumerate(self._oncoming):
            way = start - (speed * time + here)
            lap = int(np.floor(way / LAP))
            rng = np.random.default_rng([self.seed, 3, number, -lap + (1 << 20)])
            profile = self.character.draw_profile(rng) if rng.random() < 0.92 else BUS
            yield Vehicle(-lane, here + way - lap * LAP - 20, -1, profile, draw_paint(rng))
