"""Vehicles on the road: bodies with a colour, a place and a heading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.camera import NEAR, Array
from hyperseg_ros.simulation.light import Color, bgr
from hyperseg_ros.simulation.painter import Painter
from hyperseg_ros.simulation.vehicle_body import Profile, mesh

SEEN = 120.0  # metres from which vehicles are drawn
DETAILED = 9.0  # pixels a metre; below that hub caps are left out
LAST_COARSE_LAYER = 3

PAINTS: tuple[Color, ...] = (
    (40, 40, 42),
    (150, 152, 155),
    (190, 192, 195),
    (225, 228, 230),
    (40, 35, 140),
    (120, 60, 35),
    (95, 80, 70),
    (60, 75, 45),
    (70, 70, 75),
    (150, 110, 60),
    (45, 60, 160),
    (30, 150, 190),
)
PLASTIC: Color = (46, 46, 48)
BRAKING: Color = (60, 50, 245)
MATERIALS: dict[str, Color] = {
    "glass": (62, 58, 52),
    "tyre": (28, 28, 28),
    "hub": (150, 150, 152),
    "tail": (40, 35, 190),
    "head": (225, 232, 235),
    "plate": (190, 215, 220),
    "grille": PLASTIC,
}


def draw_paint(rng: np.random.Generator) -> Color:
    """A colour as cars have them."""
    return bgr(np.array(PAINTS[int(rng.integers(len(PAINTS)))]) * rng.uniform(0.8, 1.15))


@dataclass(frozen=True)
class Vehicle:
    """A vehicle at (x, y), heading 1 along +y or -1."""

    x: float
    y: float
    heading: int
    profile: Profile
    color: Color
    braking: bool = False

    def shadow(self) -> Array:
        """The dark ground beneath, [4, 2] (x, y)."""
        x, y = self.x, self.y
        w, half = self.profile.width / 2 + 0.08, self.profile.length / 2 + 0.05
        return np.array(
            [(x - w, y - half), (x + w, y - half), (x + w, y + half), (x - w, y + half)]
        )

    def paint(self, painter: Painter) -> None:
        camera = painter.camera
        if not camera.sees(self.x, self.y, 6.0, SEEN):
            return
        body = mesh(self.profile)
        turn = np.array([self.heading, self.heading, 1.0])
        vertices = body.vertices * turn + (self.x, self.y, 0.0)
        optical = camera.to_camera(vertices)
        depths = optical[:, 2]
        if depths.max() < NEAR + 1:
            return
        clipped = depths.min() < NEAR
        pixels = camera.pixels(np.column_stack([optical[:, :2], np.maximum(depths, NEAR)]))
        if not clipped and (pixels[:, 0].max() < 0 or pixels[:, 0].min() >= camera.width):
            return
        eye = self._eye(painter)
        centers, normals = body.centers * turn, body.normals * turn
        seen = ((eye - centers) * normals).sum(1) > 0
        away = np.linalg.norm(centers - eye, axis=1)
        depth = float(np.median(depths))
        detailed = camera.fx / max(depth, 1.0) >= DETAILED
        shades = painter.light.shade(normals)
        colors = self._colors()
        for i in sorted(np.flatnonzero(seen), key=lambda i: (body.faces[i].layer, -away[i])):
            face = body.faces[i]
            if not detailed and face.layer > LAST_COARSE_LAYER:
                continue
            shade = float(shades[i])
            if face.material == "glass":  # mirrors the sky
                shade = 0.8 + 0.9 * max(float(normals[i, 2]), 0.0)
            color = colors[face.material]
            part = slice(face.first, face.last)
            if clipped:
                painter.face(vertices[part], color, labels.CAR, shade)
            else:
                painter.fill(pixels[part], painter.hazed(color, depth, shade), labels.CAR)

    def _eye(self, painter: Painter) -> Array:
        """The camera's centre relative to the vehicle, the bend of the street undone about it."""
        camera = painter.camera
        line, ahead = camera.line, camera.y - self.y
        bend = (
            float(line.offset(camera.y) - line.offset(self.y)) - float(line.slope(self.y)) * ahead
        )
        return np.array([camera.x - self.x + bend, ahead, camera.z])

    def _colors(self) -> dict[str, Color]:
        trim = np.array(self.color) * 0.55 + np.array(PLASTIC) * 0.25
        colors = {**MATERIALS, "paint": self.color, "plastic": bgr(trim)}
        if self.braking:
            colors["tail"] = BRAKING
        return colors
