"""Bodies of cars, vans and buses: meshes extruded from side profiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from hyperseg_ros.simulation.camera import Array
from hyperseg_ros.simulation.shapes import circle

Point = tuple[float, float, float]  # right, forward, up; metres


@dataclass(frozen=True)
class Profile:
    """A body seen from its right side: points (y, z) in metres, y forward."""

    body: tuple[tuple[float, float], ...]  # from the rear's bottom over the top to the front's
    cabin: tuple[tuple[float, float], ...]  # rear base, rear top, front top, front base
    width: float
    wheels: tuple[float, float]  # y of the axles
    radius: float  # of the wheels
    pillars: tuple[float, ...]  # y of the pillars between the side windows
    taper: float = 0.8  # width of the roof over that of the body
    glazing: tuple[float, float] = (0.12, 0.9)  # from where to where the end windows reach
    panelled: bool = False  # no side windows behind the driver
    trimmed: bool = True  # dark sills and bumpers

    @property
    def length(self) -> float:
        """Metres, bumper to bumper."""
        return self.body[-1][0] - self.body[0][0] + 0.1


HATCHBACK = Profile(
    body=(
        (-1.9, 0.28),
        (-1.95, 0.6),
        (-1.88, 0.95),
        (0.85, 0.97),
        (1.8, 0.8),
        (1.95, 0.6),
        (1.9, 0.25),
    ),
    cabin=((-1.86, 0.95), (-1.5, 1.45), (0.15, 1.48), (1.0, 0.95)),
    width=1.7,
    wheels=(-1.2, 1.25),
    radius=0.31,
    pillars=(-0.3,),
)
SALOON = Profile(
    body=(
        (-2.2, 0.3),
        (-2.25, 0.65),
        (-2.15, 0.95),
        (0.75, 0.95),
        (2.05, 0.8),
        (2.25, 0.6),
        (2.2, 0.25),
    ),
    cabin=((-1.6, 0.95), (-1.0, 1.4), (0.1, 1.42), (0.95, 0.94)),
    width=1.76,
    wheels=(-1.35, 1.4),
    radius=0.32,
    pillars=(-0.35,),
)
ESTATE = Profile(
    body=(
        (-2.2, 0.35),
        (-2.25, 0.7),
        (-2.2, 1.05),
        (0.9, 1.05),
        (2.0, 0.92),
        (2.2, 0.65),
        (2.15, 0.32),
    ),
    cabin=((-2.18, 1.05), (-1.95, 1.68), (0.2, 1.7), (1.0, 1.05)),
    width=1.82,
    wheels=(-1.35, 1.35),
    radius=0.36,
    pillars=(-0.95, -0.1),
)
VAN = Profile(
    body=(
        (-2.5, 0.35),
        (-2.52, 1.1),
        (-2.5, 1.3),
        (1.3, 1.3),
        (2.3, 1.05),
        (2.5, 0.7),
        (2.45, 0.3),
    ),
    cabin=((-2.5, 1.3), (-2.45, 2.1), (1.0, 2.12), (1.75, 1.2)),
    width=1.95,
    wheels=(-1.6, 1.55),
    radius=0.34,
    pillars=(-1.2, -0.1, 0.2),
    taper=0.94,
    glazing=(0.25, 0.92),
    panelled=True,
)
BUS = Profile(
    body=(
        (-4.9, 0.35),
        (-5.0, 0.8),
        (-4.95, 1.4),
        (4.9, 1.4),
        (4.95, 1.3),
        (5.0, 0.8),
        (4.95, 0.32),
    ),
    cabin=((-4.95, 1.4), (-4.9, 3.0), (4.75, 3.0), (4.93, 1.4)),
    width=2.5,
    wheels=(-3.0, 3.1),
    radius=0.48,
    pillars=(-3.4, -1.9, -0.4, 1.1, 2.6),
    taper=0.94,
    glazing=(0.05, 0.92),
    trimmed=False,
)
PROFILES = (HATCHBACK, SALOON, ESTATE, VAN, BUS)
SIDE_GLAZING = (0.1, 0.84)  # from where to where the side windows reach up the cabin


@dataclass(frozen=True)
class Face:
    """A convex polygon of consecutive vertices; faces of a higher layer are painted later."""

    first: int
    last: int  # one past
    material: str
    layer: int


@dataclass(frozen=True)
class Mesh:
    """A body at the origin, its front towards +y, standing on z = 0."""

    vertices: Array  # [V, 3]
    faces: tuple[Face, ...]
    normals: Array  # [F, 3], outward
    centers: Array  # [F, 3]


class _Builder:
    """Collects the faces of a profile's mesh."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.half = profile.width / 2
        self.roof = profile.width / 2 * profile.taper
        (y0, z0), (y1, z1), (y2, z2), (y3, z3) = profile.cabin
        half, roof = self.half, self.roof
        self.cabin = ((y0, z0, half), (y1, z1, roof), (y2, z2, roof), (y3, z3, half))
        self.vertices: list[Point] = []
        self.faces: list[Face] = []
        self.normals: list[Point] = []

    def add(self, points: list[Point], material: str, layer: int, normal: Point) -> None:
        first = len(self.vertices)
        self.vertices.extend(points)
        self.faces.append(Face(first, len(self.vertices), material, layer))
        self.normals.append(normal)

    def shell(self) -> None:
        """Bonnet, tail and bumpers: strips across the body."""
        profile, half = self.profile, self.half
        bumper = 0.72 * profile.body[2][1]
        for (y0, z0), (y1, z1) in pairwise(profile.body):
            material = "plastic" if max(z0, z1) < bumper and profile.trimmed else "paint"
            strip: list[Point] = [(-half, y0, z0), (half, y0, z0), (half, y1, z1), (-half, y1, z1)]
            self.add(strip, material, 0, _normal(y0, z0, y1, z1))

    def cabin_ends(self) -> None:
        """Roof, rear window and windscreen."""
        low, high = self.profile.glazing
        spans = ((low, high), None, (1 - high, 1 - low))
        for ((y0, z0, w0), (y1, z1, w1)), span in zip(pairwise(self.cabin), spans):
            normal = _normal(y0, z0, y1, z1)
            self.add([(-w0, y0, z0), (w0, y0, z0), (w1, y1, z1), (-w1, y1, z1)], "paint", 1, normal)
            if span is not None:
                window: list[Point] = [
                    (side * (w0 + (w1 - w0) * t) * 0.88, y0 + (y1 - y0) * t, z0 + (z1 - z0) * t)
                    for t, side in ((span[0], -1), (span[0], 1), (span[1], 1), (span[1], -1))
                ]
                self.add(window, "glass", 2, normal)

    def flank(self, side: float) -> None:
        """One side: panels, windows, sill and wheels."""
        profile, half = self.profile, self.half
        outward = (side, 0.0, 0.0)
        self.add([(side * half, y, z) for y, z in profile.body], "paint", 0, outward)
        leaning = (side * 0.96, 0.0, 0.28)
        self.add([(side * w, y, z) for y, z, w in self.cabin], "paint", 1, leaning)
        self._side_windows(side, leaning)
        if profile.trimmed:
            (rear, sill), (front, _) = profile.body[0], profile.body[-1]
            corners = ((rear, sill), (front, sill), (front, sill + 0.12), (rear, sill + 0.12))
            self.add([(side * half * 1.002, y, z) for y, z in corners], "plastic", 1, outward)
        for axle in profile.wheels:
            for share, material, layer in ((1.22, "plastic", 2), (1.0, "tyre", 3), (0.6, "hub", 4)):
                r = profile.radius * share
                wheel: list[Point] = [
                    (side * half * 1.01, axle + r * y, max(profile.radius + r * z, 0.0))
                    for y, z in circle(12)
                ]
                self.add(wheel, material, layer, outward)

    def _side_windows(self, side: float, normal: Point) -> None:
        (ry, rz), (rty, rtz), (fty, _), (fy, _) = self.profile.cabin
        low, high = SIDE_GLAZING

        def at(y: float, t: float) -> Point:
            return (side * (self.half + (self.roof - self.half) * t), y, rz + (rtz - rz) * t)

        lows = [ry + (rty - ry) * low + 0.1, *self.profile.pillars, fy + (fty - fy) * low - 0.1]
        highs = [
            ry + (rty - ry) * high + 0.12,
            *self.profile.pillars,
            fy + (fty - fy) * high - 0.12,
        ]
        last = len(lows) - 2
        for i in [last] if self.profile.panelled else range(last + 1):
            a, b = 0.04 if i else 0.0, 0.04 if i < last else 0.0
            rear, front = (lows[i] + a, highs[i] + a), (lows[i + 1] - b, highs[i + 1] - b)
            window = [at(rear[0], low), at(front[0], low), at(front[1], high), at(rear[1], high)]
            self.add(window, "glass", 2, normal)

    def lights(self) -> None:
        """Lamps, number plates and the grille."""
        half, body = self.half, self.profile.body
        rear, front = body[0][0] - 0.06, body[-1][0] + 0.06
        tail, head = body[1][1] + 0.05, body[-2][1]

        def plate(
            left: float, right: float, low: float, high: float, y: float, lean: float = 0.0
        ) -> list[Point]:
            return [
                (left, y, low),
                (right, y, low),
                (right, y - lean, high),
                (left, y - lean, high),
            ]

        backward, forward = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0)
        for side in (-1.0, 1.0):
            inner, outer = side * half * 0.66, side * half * 0.96
            self.add(plate(inner, outer, tail, tail + 0.25, rear), "tail", 2, backward)
            self.add(plate(inner, outer, head, head + 0.16, front, 0.05), "head", 2, forward)
        self.add(plate(-0.26, 0.26, tail - 0.1, tail + 0.03, rear), "plate", 2, backward)
        self.add(plate(-0.26, 0.26, 0.36, 0.48, front), "plate", 2, forward)
        self.add(plate(-half * 0.55, half * 0.55, 0.52, 0.68, front), "grille", 2, forward)


def _normal(y0: float, z0: float, y1: float, z1: float) -> Point:
    """The outward normal of a strip across a body from (y0, z0) to (y1, z1)."""
    size = float(np.hypot(y1 - y0, z1 - z0))
    return (0.0, -(z1 - z0) / size, (y1 - y0) / size)


@cache
def mesh(profile: Profile) -> Mesh:
    """The mesh of a profile."""
    builder = _Builder(profile)
    builder.shell()
    builder.cabin_ends()
    builder.flank(-1.0)
    builder.flank(1.0)
    builder.lights()
    vertices = np.array(builder.vertices)
    centers = np.array([vertices[face.first : face.last].mean(0) for face in builder.faces])
    return Mesh(vertices, tuple(builder.faces), np.array(builder.normals), centers)
