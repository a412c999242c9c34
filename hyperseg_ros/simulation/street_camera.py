"""The simulated street camera: image and exact labels, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperseg_ros.simulation.camera import Camera
from hyperseg_ros.simulation.ground import Ground
from hyperseg_ros.simulation.painter import Image, Painter
from hyperseg_ros.simulation.sensor import Sensor
from hyperseg_ros.simulation.sky import Sky
from hyperseg_ros.simulation.vehicles import Vehicle
from hyperseg_ros.simulation.world import AHEAD, BEHIND, World


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole intrinsics in pixels; pixel centres are integers, as ROS and OpenCV have them."""

    fx: float
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True)
class SimulatedFrame:
    """What the camera sees at one moment, and what it is."""

    image: Image
    """BGR, uint8 [H, W, 3]."""
    labels: Image
    """Class ids of `CAMVID`, uint8 [H, W]; every pixel has one."""


class StreetCamera:
    """A camera in a car that drives down a street.

    The seed decides the street, the traffic, the light and the camera's mounting. frame(i) is a
    pure function of (seed, size, frame rate, i): any order of indices gives the same frames.

    Args:
        seed: the drive, 0 or more.
        width, height: of the image, 16 pixels or more.
        frame_rate: frames a second, above 0.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self, seed: int = 0, width: int = 640, height: int = 480, frame_rate: float = 15.0
    ) -> None:
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must be 0 or more")
        if min(width, height) < 16:
            raise ValueError(f"image size is {width} x {height}; both must be 16 pixels or more")
        if not 0 < frame_rate < float("inf"):
            raise ValueError(
                f"frame rate is {frame_rate}; it must be a positive number of frames a second"
            )
        self.width, self.height, self.frame_rate = width, height, frame_rate
        self.world = World(seed)
        rng = np.random.default_rng([seed, 4])
        field_of_view = np.radians(rng.uniform(48, 62))
        focal = width / 2 / np.tan(field_of_view / 2)
        self.intrinsics = Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2)
        self._z = float(rng.uniform(1.2, 1.55))
        # The horizon lies a little below the middle, as in CamVid.
        self._pitch = float(np.arctan(rng.uniform(-0.01, 0.11) * height / focal))
        self._yaw = float(rng.normal(0, 0.025))
        self._wave = rng.uniform(0, 2 * np.pi, 6)
        layout, light = self.world.layout, self.world.light
        self._sky = Sky(rng, light)
        self._ground = Ground(rng, layout)
        self._sensor = Sensor(rng, light, width, height)

    def camera(self, index: int) -> Camera:
        """The camera's pose at a frame."""
        time = self._time(index)
        world, wave = self.world, self._wave
        y = world.travelled(time)
        drift = 0.25 * np.sin(time * 0.31 + wave[0]) + 0.1 * np.sin(time * 0.83 + wave[1])
        x = world.layout.drive_side * world.layout.lane / 2 + drift
        bob = 0.012 * np.sin(time * 9.1 + wave[2]) + 0.01 * np.sin(time * 4.3 + wave[3])
        pitch = (
            self._pitch
            + 0.005 * np.sin(time * 7.3 + wave[4])
            + 0.004 * np.sin(time * 1.9 + wave[5])
        )
        yaw = (
            self._yaw
            + float(np.arctan(world.line.slope(y + 6)))
            + 0.012 * np.cos(time * 0.31 + wave[0])
        )
        k = self.intrinsics
        return Camera(
            self.width,
            self.height,
            k.fx,
            k.fy,
            k.cx,
            k.cy,
            world.line,
            float(x),
            float(y),
            self._z + float(bob),
            float(yaw),
            float(pitch),
        )

    def frame(self, index: int) -> SimulatedFrame:
        """The frame at an index >= 0; ValueError if it is negative."""
        time = self._time(index)
        world, camera = self.world, self.camera(index)
        painter = Painter(camera, world.light, time)
        blocks = world.blocks(camera.y - BEHIND, camera.y + AHEAD)
        houses = [house for block in blocks for house in block.buildings]
        things = [thing for block in blocks for thing in block.things]
        things.extend(world.moving(time))
        shadows = [shadow for block in blocks for shadow in block.shadows]
        shadows += [thing.shadow() for thing in things if isinstance(thing, Vehicle)]
        surfaces = [surface for block in blocks for surface in block.surfaces]

        self._sky.paint(painter)
        self._ground.paint(painter, shadows, surfaces)
        for house in sorted(houses, key=lambda house: -house.y0):
            house.paint(painter)
        for thing in sorted(things, key=lambda thing: -thing.y):
            thing.paint(painter)
        return SimulatedFrame(self._sensor.expose(painter.image, index, time), painter.labels)

    def _time(self, index: int) -> float:
        if index < 0:
            raise ValueError(f"frame index is {index}; it must be 0 or more")
        return index / self.frame_rate
