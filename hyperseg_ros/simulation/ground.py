"""The ground: asphalt, markings, kerbs, slabs, grass, and the shadows on them."""

from __future__ import annotations

import cv2
import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.camera import Array, clip_near
from hyperseg_ros.simulation.layout import Layout
from hyperseg_ros.simulation.light import Color
from hyperseg_ros.simulation.noise import cloud_noise
from hyperseg_ros.simulation.painter import SUBPIXEL_BITS, Painter, fixed_point

DENSITY = 20  # texels a metre
REACH = 20.0  # metres to either side of the centre line that the texture covers
PERIOD = 25.6  # metres after which the texture repeats along the street
MARGIN = 8.0  # metres of repetition beyond the period, for rows that see the ground askew
BLURS = (1, 5, 17, 65)  # texels along the street: a texture for each range of depth
BLUR_FROM = (4, 12, 40)  # texels that a row spans, from which the next blur is taken
MARKINGS_SEEN = 90.0  # metres from which markings are drawn
HAZE_FROM = 25.0  # metres
FULL_LIGHT = 200  # fixed-point 1.0 of the light on the ground


class Ground:
    """One texture in street coordinates, warped row by row; flat at z = 0."""

    def __init__(self, rng: np.random.Generator, layout: Layout) -> None:
        self._layout = layout
        columns, rows = int(2 * REACH * DENSITY), int(PERIOD * DENSITY)
        x = (np.arange(columns) + 0.5) / DENSITY - REACH
        self._classes = layout.classes_across(x)
        texture = self._draw_texture(rng, x, rows)
        pad = int(MARGIN * DENSITY)
        self._blurred = []
        for blur in BLURS:
            long = np.concatenate([texture] * 3)
            long = cv2.blur(long, (1, blur))[rows - pad : 2 * rows + pad]
            self._blurred.append(np.clip(long, 0, 255).astype(np.uint8))

    def _draw_texture(self, rng: np.random.Generator, x: Array, rows: int) -> Array:
        """The ground's colours [rows, len(x), 3]; each column is at an x, metres."""
        layout = self._layout
        columns = len(x)
        grain = rng.standard_normal((rows, columns, 1), dtype=np.float32)
        patches = cloud_noise(rng, (rows, columns), 90)[:, :, None] - 0.5
        asphalt = np.array(layout.asphalt, np.float32) + grain * 6 + patches * 22
        # Tyres darken two tracks a lane.
        lane = np.abs(np.mod(x / layout.lane, 1.0) - 0.5)
        asphalt -= (8 * np.exp(-(((lane - 0.24) / 0.09) ** 2)))[None, :, None]
        for _ in range(int(rng.integers(0, 4))):  # repairs
            left, top = int(rng.integers(0, columns)), int(rng.integers(0, rows - 120))
            right, bottom = left + int(rng.integers(20, 60)), top + int(rng.integers(40, 120))
            asphalt[top:bottom, left:right] += rng.uniform(-18, 12)
        slabs = np.array(layout.slab, np.float32) + grain * 4 + patches * 18
        _lay_slabs(slabs, layout.slab_size)
        grass = np.array(layout.grass, np.float32) + grain * 14 + patches * 50
        texture = np.where((self._classes == labels.ROAD)[None, :, None], asphalt, slabs)
        texture = np.where((self._classes == labels.TREE)[None, :, None], grass, texture)
        beyond_kerb = np.abs(x) - layout.kerb
        kerbstone = np.array(layout.kerbstone) + grain[:, :1] * 5
        texture[:, np.abs(beyond_kerb - 0.07) < 0.09] = kerbstone
        texture[:, np.abs(beyond_kerb + 0.12) < 0.12] -= 22  # gutter
        for offset in layout.edge_lines:
            paint = np.array(layout.edge_color) + grain[:, :1] * 8
            texture[:, np.abs(beyond_kerb + offset) < 0.06] = paint
        return texture

    def paint(
        self, painter: Painter, shadows: list[Array], surfaces: list[tuple[Array, Color, int]]
    ) -> None:
        """Fills the canvas from the horizon to its bottom.

        shadows: ground polygons [N, 2] (x, y).
        surfaces: side roads as (street points [N, 3], colour, label).
        """
        camera = painter.camera
        first = int(max(np.floor(camera.horizon) + 1, 0))
        if first >= camera.height:
            return
        rows = np.arange(first, camera.height, dtype=np.float64)
        depth = self._paint_texture(painter, rows)
        markings = self._layout.markings(camera.y - 2, camera.y + MARKINGS_SEEN)
        for points, color, label in (*surfaces, *markings):
            painter.face(points, color, label)
        _light(painter, first, shadows)
        _haze(painter, first, depth)

    def _paint_texture(self, painter: Painter, rows: Array) -> Array:
        """Warps the texture into rows [N] of the canvas; returns their depths, metres."""
        camera = painter.camera
        x0, dx, y0, dy, depth = camera.ground_rows(rows)
        y0 = y0 - np.floor((y0 + dy * camera.cx) / PERIOD) * PERIOD
        columns = np.arange(camera.width, dtype=np.float32)
        map_x = (dx * DENSITY).astype(np.float32)[:, None] * columns
        map_x += ((x0 + REACH) * DENSITY - 0.5).astype(np.float32)[:, None]
        map_y = (dy * DENSITY).astype(np.float32)[:, None] * columns
        map_y += ((y0 + MARGIN) * DENSITY - 0.5).astype(np.float32)[:, None]
        color = np.empty((len(rows), camera.width, 3), np.uint8)
        texels = depth**2 / (camera.fy * camera.z) * DENSITY  # that a row spans along the street
        bands = np.searchsorted(BLUR_FROM, texels)
        for band in np.unique(bands):
            part = np.flatnonzero(bands == band)
            span = slice(part[0], part[-1] + 1)
            cv2.remap(
                self._blurred[band],
                map_x[span],
                map_y[span],
                cv2.INTER_LINEAR,
                dst=color[span],
                borderMode=cv2.BORDER_REPLICATE,
            )
        classes = cv2.remap(
            np.stack([self._classes] * 2),
            map_x,
            np.zeros_like(map_x),
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_REPLICATE,
        )
        painter.canvas[int(rows[0]) :] = cv2.merge([color, classes])
        return depth


def _lay_slabs(texture: Array, size: tuple[float, float]) -> None:
    """Divides a texture into slabs of a (width, length) in metres, each of its own tone."""
    size_x, size_y = size
    row = (np.arange(texture.shape[0]) / DENSITY)[:, None]
    column = (np.arange(texture.shape[1]) / DENSITY)[None]
    course = np.floor(row / size_y)
    shifted = column + (course % 2) * size_x / 2
    texture += (np.sin(course * 12.9 + np.floor(shifted / size_x) * 78.2) * 7)[:, :, None]
    joint = (np.mod(row, size_y) < 0.06) | (np.mod(shifted, size_x) < 0.06)
    texture[joint] -= 26


def _light(painter: Painter, first: int, shadows: list[Array]) -> None:
    """Lights the canvas from row first on, less in the shadows."""
    camera, light = painter.camera, painter.light
    ground = painter.canvas[first:]
    level = float(light.shade(np.array([0.0, 0.0, 1.0])))
    gain = np.full(ground.shape[:2], int(min(level, 1.25) * FULL_LIGHT), np.uint8)
    dark = int(gain[0, 0] * (1 - min(0.25 + light.direct, 0.6)))
    for shadow in shadows:
        points = np.column_stack([shadow, np.zeros(len(shadow))])
        optical = clip_near(camera.to_camera(points))
        if len(optical) >= 3:
            outline = fixed_point(camera.pixels(optical) - (0, first))
            cv2.fillPoly(gain, [outline], dark, cv2.LINE_8, SUBPIXEL_BITS)
    gain = cv2.blur(gain, (3, 3))
    keep = np.full_like(gain, FULL_LIGHT)  # leaves the labels as they are
    cv2.multiply(ground, cv2.merge([gain, gain, gain, keep]), dst=ground, scale=1 / FULL_LIGHT)


def _haze(painter: Painter, first: int, depth: Array) -> None:
    """Fades the far rows of the ground, from row first on, into the haze."""
    far = int(np.searchsorted(-depth, -HAZE_FROM))
    fog = np.minimum(1 - np.exp(-depth[:far] / painter.light.haze), 0.75).astype(np.float32)
    haze = np.array(painter.light.sky_horizon, np.float32) * 0.92
    part = painter.canvas[first : first + far, :, :3]
    part[:] = part * (1 - fog)[:, None, None] + haze * fog[:, None, None]
