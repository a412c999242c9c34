"""The simulated street camera: image and exact labels, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.simulation import footprints, free_space, wet
from hyperseg_ros.simulation.block import Thing
from hyperseg_ros.simulation.buildings import Building
from hyperseg_ros.simulation.camera import Camera
from hyperseg_ros.simulation.free_space import Distances
from hyperseg_ros.simulation.fronts import STYLES
from hyperseg_ros.simulation.glare import dazzle
from hyperseg_ros.simulation.ground import Ground
from hyperseg_ros.simulation.lens import Lens, LensView
from hyperseg_ros.simulation.light import WEATHERS
from hyperseg_ros.simulation.mount import Mount, MovedMount
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
    pure function of the arguments and i: any order of indices gives the same frames.

    Args:
        seed: the drive, 0 or more.
        width, height: of the image, 16 pixels or more.
        frame_rate: frames a second, above 0.
        mount: how the camera is fixed to the car; by default as the seed decides.
        lens: its distortion; none by default.
        weather: one of `WEATHERS`; by default as the seed decides, of the common ones.
        style: of the buildings, one of `STYLES`.

    Attributes:
        intrinsics: of the camera.
        mount: nominal; the car's suspension moves it, see `pose`.
        lens: its distortion, if any.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        seed: int = 0,
        width: int = 640,
        height: int = 480,
        frame_rate: float = 15.0,
        mount: Mount | None = None,
        lens: Lens | None = None,
        weather: str | None = None,
        style: str = "british",
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
        if weather is not None and weather not in WEATHERS:
            raise ValueError(f"no weather {weather!r}: there are {', '.join(WEATHERS)}")
        if style not in STYLES:
            raise ValueError(f"no style {style!r} of buildings: there are {', '.join(STYLES)}")
        self.world = World(seed, WEATHERS[weather] if weather else None, STYLES[style])
        rng = np.random.default_rng([seed, 4])
        field_of_view = np.radians(rng.uniform(48, 62))
        focal = width / 2 / np.tan(field_of_view / 2)
        self.intrinsics = Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2)
        self._z = float(rng.uniform(1.2, 1.55))
        # The horizon lies a little below the middle, as in CamVid.
        self._pitch = float(np.arctan(rng.uniform(-0.01, 0.11) * height / focal))
        self._yaw = float(rng.normal(0, 0.025))
        if lens is not None and lens.focal is not None:
            focal = lens.focal
            self.intrinsics = Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2)
        if mount is not None:
            self._z, self._pitch, self._yaw = mount.height, -mount.pitch, -mount.yaw
        self.mount = mount or Mount(self._z, 0.0, -self._pitch, -self._yaw)
        self.lens = lens
        self._view: LensView | None = None
        if lens is not None or self.mount.roll:
            k = self.intrinsics
            self._view = LensView(lens, self.mount.roll, width, height, k.fx, k.cx, k.cy)
        self._wave = rng.uniform(0, 2 * np.pi, 6)
        layout, light = self.world.layout, self.world.light
        self._sky = Sky(rng, light)
        self._ground = Ground(rng, layout)
        self._sensor = Sensor(rng, light, width, height)

    def camera(self, index: int) -> Camera:
        """The camera in the street at a frame, a pinhole without its mount's roll."""
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

    def pose(self, index: int) -> MovedMount:
        """The camera's exact pose at a frame, in the car's frame below it."""
        camera = self.camera(index)
        return MovedMount(camera.z, self.mount.roll, -camera.pitch, self.mount.yaw)

    def frame(self, index: int) -> SimulatedFrame:
        """The frame at an index >= 0; ValueError if it is negative."""
        time = self._time(index)
        camera = self.camera(index)
        if self._view is None:
            painter = self._paint(camera, time)
            image, labels = self._seen(painter), painter.labels
        else:
            painter = self._paint(self._view.widened(camera), time)
            image, labels = (
                self._view.picture(self._seen(painter)),
                self._view.labels(painter.labels),
            )
        return SimulatedFrame(self._sensor.expose(image, index, time), labels)

    def free_space(
        self,
        index: int,
        bearings: Sequence[float] | NDArray[np.float64],
        max_range: float = 100.0,
        beam: float = 0.0,
    ) -> Distances:
        """The true distance to the first thing that is not ground, road or pavement.

        Things are as in the labels: it is the ground that they hide from the camera that ends free
        space. Lens and picture do not matter, nor does what is nearer than the picture shows.

        Args:
            index: of the frame, 0 or more.
            bearings: radians from the car's forward direction to the left, about the ground below
                the camera, [B]; within 65 degrees of the camera's own direction.
            max_range: metres.
            beam: radians that each bearing is wide: the nearest thing in it counts; 0 for a line.

        Raises:
            ValueError: the index is negative, or a bearing too far aside.
        """
        camera = self.camera(index)
        to_the_right = self._to_the_right(bearings, beam)
        wide = free_space.widened(camera, to_the_right)
        labels = self._paint(wide, self._time(index)).labels
        distances = free_space.measure(wide, labels, to_the_right, max_range)
        return free_space.nearest_of_beams(distances, len(bearings))

    def vehicles(
        self, index: int, bearings: Sequence[float] | NDArray[np.float64], beam: float = 0.0
    ) -> NDArray[np.float64]:
        """The distance to the nearest vehicle's outline from above; inf where there is none.

        `free_space` ends where a vehicle hides the ground; its bumpers are nearer than that.

        Args:
            index, bearings, beam: as in `free_space`.

        Returns:
            Metres from the ground below the camera, [B].

        Raises:
            ValueError: the index is negative.
        """
        camera = self.camera(index)
        things = self._things(camera, self._time(index))
        vehicles = [thing for thing in things if isinstance(thing, Vehicle)]
        ranges = footprints.nearest(camera, vehicles, self._to_the_right(bearings, beam))
        return ranges.reshape(len(bearings), -1).min(axis=1)

    def _to_the_right(
        self, bearings: Sequence[float] | NDArray[np.float64], beam: float
    ) -> NDArray[np.float64]:
        """The lines of each beam, beam after beam, radians to the right of the camera."""
        lines = max(1, round(2 * beam * self.intrinsics.fx))
        offsets = ((np.arange(lines) + 0.5) / lines - 0.5) * beam
        return self.mount.yaw - (np.asarray(bearings, np.float64)[:, None] + offsets).ravel()

    def _things(self, camera: Camera, time: float) -> list[Thing]:
        """What stands and moves near a camera at a time in seconds, but for the buildings."""
        blocks = self.world.blocks(camera.y - BEHIND, camera.y + AHEAD)
        return [*(thing for block in blocks for thing in block.things), *self.world.moving(time)]

    def _paint(self, camera: Camera, time: float) -> Painter:
        """The street as a camera sees it at a time in seconds."""
        world = self.world
        blocks = world.blocks(camera.y - BEHIND, camera.y + AHEAD)
        houses = [house for block in blocks for house in block.buildings]
        things = self._things(camera, time)
        shadows = [shadow for block in blocks for shadow in block.shadows]
        shadows += [thing.shadow() for thing in things if isinstance(thing, Vehicle)]
        surfaces = [surface for block in blocks for surface in block.surfaces]
        standing: list[Building | Thing] = [
            *sorted(houses, key=lambda house: -house.y0),
            *sorted(things, key=lambda thing: -thing.y),
        ]
        painter = Painter(camera, world.light, time)
        self._sky.paint(painter)
        self._ground.paint(painter, shadows, surfaces)
        if world.light.wet:
            below = Painter(wet.below_ground(camera), world.light, time)
            self._sky.paint(below)
            for thing in standing:
                thing.paint(below)
            wet.mirror(painter, below.image, world.light.wet)
        for thing in standing:
            thing.paint(painter)
        return painter

    def _seen(self, painter: Painter) -> Image:
        """What comes to the lens: the street, and the sun."""
        return dazzle(painter.image, painter.camera, self.world.light)

    def _time(self, index: int) -> float:
        if index < 0:
            raise ValueError(f"frame index is {index}; it must be 0 or more")
        return index / self.frame_rate
