"""Trees, bushes and hedges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.light import Color
from hyperseg_ros.simulation.noise import cloud_noise
from hyperseg_ros.simulation.painter import Image, Painter, Sprite, pyramid
from hyperseg_ros.simulation.shapes import upright

SIZE = 224  # pixels of a sprite's side


def _crown(rng: np.random.Generator, roughness: float) -> Image:
    """An irregular blob that fills most of the upper part of a sprite, 0 or 255."""
    blobs = np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(26):
        angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * 0.3
        at = (
            int(SIZE * (0.5 + 1.05 * radius * np.cos(angle))),
            int(SIZE * (0.42 + radius * np.sin(angle))),
        )
        cv2.circle(blobs, at, int(SIZE * rng.uniform(0.07, 0.16)), 255, -1)
    soft = cv2.GaussianBlur(blobs, (0, 0), 5).astype(np.float32) / 255
    soft += (cloud_noise(rng, (SIZE, SIZE), 18) - 0.5) * roughness
    return ((soft > 0.5) * 255).astype(np.uint8)


def leafy(rng: np.random.Generator, base: Color) -> Sprite:
    """A tree in leaf: a mottled crown on a trunk."""
    crown = _crown(rng, 0.9)
    mottle = cloud_noise(rng, (SIZE, SIZE), 26) * 0.8 + rng.random((SIZE, SIZE)) * 0.45
    lit = 1.15 - np.linspace(0, 0.55, SIZE)[:, None]
    shade = (0.35 + 0.9 * mottle) * lit
    color = np.array(base) * shade[:, :, None]
    outline = crown.copy()
    middle = SIZE // 2
    trunk = np.array(
        [[middle - 7, SIZE], [middle - 4, SIZE // 2], [middle + 4, SIZE // 2], [middle + 7, SIZE]]
    )
    bark = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillConvexPoly(bark, trunk, 255)
    color[(bark > 0) & (crown == 0)] = np.array((45, 52, 60)) * rng.uniform(0.7, 1.3)
    outline |= bark
    picture = np.dstack([np.clip(color, 0, 255), outline]).astype(np.uint8)
    return Sprite(pyramid(picture, 5), outline)


def bare(rng: np.random.Generator, base: Color) -> Sprite:
    """A winter tree: branches with sky between; the outline closes the gaps, as in CamVid."""
    opacity = np.zeros((SIZE, SIZE), np.uint8)

    def branch(x: float, y: float, angle: float, length: float, width: float) -> None:
        end_x, end_y = x + np.cos(angle) * length, y - np.sin(angle) * length
        cv2.line(
            opacity,
            (int(x), int(y)),
            (int(end_x), int(end_y)),
            255,
            max(int(width), 1),
            cv2.LINE_AA,
        )
        if length < 6:
            return
        for _ in range(int(rng.integers(2, 4))):
            part = rng.uniform(0.5, 1.0)
            turned = angle + rng.normal(0, 0.55)
            branch(
                x + (end_x - x) * part,
                y + (end_y - y) * part,
                turned,
                length * rng.uniform(0.6, 0.8),
                width * 0.62,
            )

    branch(SIZE / 2, SIZE, np.pi / 2 + rng.normal(0, 0.06), SIZE * 0.3, 11)
    closed = cv2.morphologyEx(
        cv2.dilate(opacity, np.ones((3, 3), np.uint8)), cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)
    )
    outline = ((closed > 60) * 255).astype(np.uint8)
    twigs = (outline > 0) * (cloud_noise(rng, (SIZE, SIZE), 4, 2) > 0.42) * 130
    twigs[int(SIZE * 0.72) :] = 0
    opacity = np.maximum(opacity, twigs.astype(np.uint8))
    color = np.array(base) * (0.7 + 0.6 * rng.random((SIZE, SIZE, 1)))
    picture = np.dstack([np.clip(color, 0, 255), opacity]).astype(np.uint8)
    return Sprite(pyramid(picture, 5), outline)


def bush(rng: np.random.Generator, base: Color) -> Sprite:
    """A bush: a crown that sits on the ground."""
    crown = np.roll(_crown(rng, 0.8), SIZE // 4, axis=0)
    crown[: SIZE // 4] = 0
    mottle = cloud_noise(rng, (SIZE, SIZE), 20) * 0.8 + rng.random((SIZE, SIZE)) * 0.5
    color = (
        np.array(base)
        * ((0.3 + 0.9 * mottle) * (1.1 - np.linspace(0, 0.5, SIZE)[:, None]))[:, :, None]
    )
    return Sprite(pyramid(np.dstack([np.clip(color, 0, 255), crown]).astype(np.uint8), 5), crown)


def hedge(rng: np.random.Generator, base: Color) -> list[Image]:
    """A texture of leaves for the side of a hedge."""
    mottle = cloud_noise(rng, (48, 128), 12) * 0.8 + rng.random((48, 128)) * 0.5
    return pyramid(
        np.clip(np.array(base) * (0.3 + 0.9 * mottle)[:, :, None], 0, 255).astype(np.uint8), 4
    )


class Flora:
    """What grows along one drive: a handful of sprites, in the colours of the season."""

    def __init__(self, rng: np.random.Generator) -> None:
        winter = rng.random() < 0.45
        green: Color = (
            float(rng.uniform(35, 65)),
            float(rng.uniform(95, 150)),
            float(rng.uniform(75, 130)),
        )
        dark: Color = (
            float(rng.uniform(35, 55)),
            float(rng.uniform(70, 95)),
            float(rng.uniform(50, 75)),
        )
        brown: Color = (
            float(rng.uniform(45, 75)),
            float(rng.uniform(55, 85)),
            float(rng.uniform(65, 95)),
        )
        self.trees = [
            bare(rng, brown)
            if rng.random() < (0.75 if winter else 0.08)
            else leafy(rng, green if i % 2 else dark)
            for i in range(6)
        ]
        self.bushes = [bush(rng, dark if i % 2 else green) for i in range(3)]
        self.hedge = hedge(rng, dark)


@dataclass(frozen=True)
class Plant:
    """A tree or bush at (x, y), sizes in metres."""

    x: float
    y: float
    width: float
    height: float
    sprite: Sprite

    def paint(self, painter: Painter) -> None:
        if not painter.camera.sees(self.x, self.y, self.width, 120.0):
            return
        shade = 0.8 + 0.35 * (1 - painter.light.direct)
        size = (self.width, self.height)
        painter.sprite((self.x, self.y, 0.0), size, self.sprite, labels.TREE, shade)


@dataclass(frozen=True)
class Hedge:
    """A hedge from y0 to y1 along the street, its side at x."""

    x: float
    y0: float
    y1: float
    height: float
    texture: list[Image]

    @property
    def y(self) -> float:
        return self.y0

    def paint(self, painter: Painter) -> None:
        if self.y0 - painter.camera.y > 90:
            return
        near = max(self.y0, painter.camera.y + 1.5)
        if near >= self.y1 - 0.2:
            return
        side = 1.0 if self.x > 0 else -1.0
        h = self.height
        shade = float(painter.light.shade(np.array([-side, 0, 0]))) + 0.15
        end = upright((self.x, near), (self.x + side, near), 0, h)
        painter.texture(end, self.texture, labels.TREE, shade * 0.8)
        if h < painter.camera.z:
            top = np.array(
                [
                    [self.x, near, h],
                    [self.x, self.y1, h],
                    [self.x + side, self.y1, h],
                    [self.x + side, near, h],
                ]
            )
            painter.face(top, (50, 110, 85), labels.TREE, 1.0)
        front = upright((self.x, near), (self.x, self.y1), 0, h)
        painter.texture(front, self.texture, labels.TREE, shade)
