"""The textures of buildings: fronts with windows, shops and doors, and plain side walls."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.simulation.light import Color, bgr
from hyperseg_ros.simulation.noise import cloud_noise
from hyperseg_ros.simulation.painter import Image, pyramid

DENSITY = 22  # texels a metre

BRICK: tuple[Color, ...] = (
    (62, 82, 132),
    (78, 104, 150),
    (110, 148, 176),
    (95, 110, 128),
    (70, 78, 105),
)
PLASTER: tuple[Color, ...] = (
    (205, 215, 222),
    (170, 196, 208),
    (190, 200, 196),
    (150, 168, 180),
    (214, 208, 200),
)
STONE: tuple[Color, ...] = ((140, 158, 168), (120, 136, 146), (160, 172, 180))
PAINT: tuple[Color, ...] = (
    (120, 175, 225),
    (140, 150, 215),
    (150, 195, 165),
    (205, 180, 150),
    (110, 130, 190),
    (190, 205, 232),
)
CONCRETE: tuple[Color, ...] = ((150, 155, 158), (175, 178, 180), (118, 122, 124))
CLADDING: tuple[Color, ...] = ((95, 85, 72), (140, 128, 112), (60, 58, 55), (170, 165, 158))
TIMBER: tuple[Color, ...] = ((215, 222, 226), (110, 120, 165), (160, 150, 120), (70, 95, 130))


@dataclass(frozen=True)
class Style:
    """What the fronts of a street are made of."""

    materials: tuple[tuple[Color, ...], ...]
    shares: tuple[float, ...]
    glazing: float = 1.0
    """Width of the windows, relative."""


BRITISH = Style((BRICK, PLASTER, STONE), (0.5, 0.35, 0.15))
STYLES = {
    "british": BRITISH,
    "continental": Style((PAINT, PLASTER, STONE), (0.5, 0.3, 0.2), 0.85),
    "modern": Style((CONCRETE, CLADDING), (0.5, 0.5), 1.4),
    "timber": Style((TIMBER, BRICK), (0.8, 0.2), 0.9),
}
"""By name."""
SHOP: tuple[Color, ...] = (
    (40, 40, 120),
    (110, 60, 30),
    (50, 90, 40),
    (40, 40, 45),
    (150, 150, 155),
    (30, 120, 170),
    (90, 30, 80),
)


def front(
    rng: np.random.Generator, width: float, height: float, kind: str, style: Style
) -> list[Image]:
    """The texture of a front of a width and height in metres; kind: shop, house, office."""
    return pyramid(_Front(rng, width, height, kind, style).image)


def plain(rng: np.random.Generator, width: float, height: float, color: Color) -> list[Image]:
    """The texture of a side wall of a width and height in metres, with a few windows at most."""
    image = _masonry(rng, (int(height * 10), int(width * 10)), color)
    if rng.random() < 0.5:
        for z in np.arange(1.0, height - 1.6, 3.1):
            left, top = int(width * 4), int((height - z - 1.3) * 10)
            cv2.rectangle(image, (left - 1, top - 1), (left + 11, top + 13), (215, 218, 218), -1)
            cv2.rectangle(image, (left, top), (left + 10, top + 12), (70, 68, 62), -1)
    return pyramid(image, 4)


def _masonry(rng: np.random.Generator, shape: tuple[int, int], color: Color) -> Image:
    """A wall [H, W, 3] of one colour, with grain and stains."""
    wall = np.array(color) + rng.normal(0, 7, (*shape, 1))
    wall += (cloud_noise(rng, shape, 60)[:, :, None] - 0.5) * 34
    return np.clip(wall, 0, 255, out=wall).astype(np.uint8)


class _Front:
    """Draws a front: masonry, rows of windows, and a shop or a door on the ground floor.

    Positions are in metres from the top left corner.
    """

    def __init__(
        self, rng: np.random.Generator, width: float, height: float, kind: str, style: Style
    ) -> None:
        self.rng, self.width, self.height, self.kind = rng, width, height, kind
        self.style = style
        color = self._draw_wall()
        self.frame: Color = (225, 228, 228) if rng.random() < 0.65 else (60, 66, 72)
        self.sill = bgr(np.clip(color * 1.3, 0, 255))
        office = kind == "office"
        self.storey = float(rng.uniform(2.8, 3.4))
        self.ground_floor = 3.6 if kind == "shop" else self.storey
        self.pitch = float(rng.uniform(1.6, 2.4)) if office else float(rng.uniform(1.9, 3.2))
        share = (0.78 if office else float(rng.uniform(0.38, 0.6))) * style.glazing
        self.pane = self.pitch * min(share, 0.9)
        self.tall = self.storey * float(rng.uniform(0.48, 0.62))
        self.bays = max(int((width - 0.6) / self.pitch), 1)
        top = height - self.ground_floor - self.storey
        while top > 0.1:
            for bay in range(self.bays):
                self.window(self.bay_left(bay), top + (self.storey - self.tall) / 2)
            top -= self.storey
        self.rectangle(0, 0, width, 0.35, bgr(color * 0.75))  # cornice
        if kind == "shop":
            self.shop()
        else:
            self.entrance()

    def _draw_wall(self) -> NDArray[np.floating]:
        """Draws the masonry; returns its colour."""
        rng, style = self.rng, self.style
        material = style.materials[int(rng.choice(len(style.materials), p=style.shares))]
        color = np.array(material[int(rng.integers(len(material)))]) * rng.uniform(0.8, 1.12)
        shape = (max(int(self.height * DENSITY), 8), max(int(self.width * DENSITY), 8))
        self.image = _masonry(rng, shape, bgr(color))
        if material is TIMBER:
            courses = self.image[:: DENSITY // 6]
            courses[:] = (courses * 0.8).astype(np.uint8)
        elif material in (CONCRETE, CLADDING):
            joints = self.image[:, :: int(DENSITY * 1.5)]
            joints[:] = (joints * 0.75).astype(np.uint8)
        elif material is BRICK:
            courses = self.image[:: DENSITY // 5]
            courses[:] = (courses * 0.86).astype(np.uint8)
        elif material is STONE:
            courses = self.image[:: DENSITY // 2]
            courses[:] = (courses * 0.8).astype(np.uint8)
        return color

    def bay_left(self, bay: int) -> float:
        """The left edge of a bay's window."""
        margin = (self.width - self.bays * self.pitch) / 2
        return margin + bay * self.pitch + (self.pitch - self.pane) / 2

    def rectangle(self, left: float, top: float, right: float, bottom: float, paint: Color) -> None:
        start = (int(left * DENSITY), int(top * DENSITY))
        end = (int(right * DENSITY) - 1, int(bottom * DENSITY) - 1)
        cv2.rectangle(self.image, start, end, paint, -1)

    def window(self, left: float, top: float) -> None:
        rng, wide, tall = self.rng, self.pane, self.tall
        right, bottom = left + wide, top + tall
        glass = np.array((70, 66, 58)) * rng.uniform(0.5, 1.9) + rng.uniform(0, 30)
        self.rectangle(left - 0.08, top - 0.08, right + 0.08, bottom + 0.08, self.frame)
        self.rectangle(left, top, right, bottom, bgr(glass))
        mirrored = top + tall * rng.uniform(0.2, 0.6)  # the sky in the upper part
        self.rectangle(left, top, right, mirrored, bgr(glass * 1.35 + 12))
        if self.kind != "office":
            bar = top + tall * 0.48
            self.rectangle(left, bar, right, bar + 0.07, self.frame)
        bar = left + wide * 0.48
        self.rectangle(bar, top, bar + 0.07, bottom, self.frame)
        self.rectangle(left - 0.15, bottom + 0.08, right + 0.15, bottom + 0.2, self.sill)

    def shop(self) -> None:
        """A sign with lettering over shop windows with goods behind them."""
        rng, width, height = self.rng, self.width, self.height
        base = height - self.ground_floor
        trim = np.array(SHOP[int(rng.integers(len(SHOP)))]) * rng.uniform(0.7, 1.2)
        self.rectangle(0, base, width, height, bgr(trim * 0.8))
        self.rectangle(0, base + 0.1, width, base + 0.75, bgr(trim))
        ink: Color = (235, 235, 235) if trim.mean() < 120 else (30, 30, 30)
        at = 0.8
        while at < width - 1.2:
            letter = float(rng.uniform(0.15, 0.4))
            self.rectangle(at, base + 0.25, at + letter, base + 0.58, ink)
            at += letter + float(rng.uniform(0.08, 0.5))
        at = 0.3
        while at < width - 1.4:
            pane = min(float(rng.uniform(1.4, 2.8)), width - 0.3 - at)
            glass = bgr(np.array((60, 62, 62)) * rng.uniform(0.5, 1.6))
            self.rectangle(at, base + 0.95, at + pane - 0.15, height - 0.45, glass)
            for _ in range(4):
                left, top = at + rng.uniform(0, pane - 0.6), base + rng.uniform(1.2, 2.4)
                right = min(left + rng.uniform(0.2, 0.7), at + pane - 0.2)
                bottom = min(top + rng.uniform(0.2, 0.6), base + 3.1)
                self.rectangle(left, top, right, bottom, bgr(rng.uniform(40, 210, 3)))
            at += pane

    def entrance(self) -> None:
        """A door in one bay, windows in the others."""
        height = self.height
        door = int(self.rng.integers(self.bays))
        for bay in range(self.bays):
            left = self.bay_left(bay)
            if bay == door:
                self.rectangle(left - 0.1, height - 2.35, left + 1.1, height, self.frame)
                paint = bgr(self.rng.uniform(20, 130, 3))
                self.rectangle(left, height - 2.2, left + 1.0, height, paint)
            else:
                self.window(left, height - self.ground_floor + (self.storey - self.tall) / 2)
