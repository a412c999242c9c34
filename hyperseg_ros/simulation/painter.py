"""Paints colour and label together, far things first.

The canvas has four channels, blue, green, red and label, so that one fill writes both: the label's
outline is the image's outline, pixel for pixel, and is never antialiased. Edges are softened later
by the lens (sensor.py), which leaves the labels alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.simulation.camera import NEAR, Array, Camera, clip_near
from hyperseg_ros.simulation.light import Color, Light

Image = NDArray[np.uint8]

SUBPIXEL_BITS = 4  # of the coordinates that OpenCV fills polygons with
FARTHEST_PIXEL = 30000.0  # keeps those coordinates within 32 bits
THINNEST = 2.5  # pixels; nothing thinner is drawn, since nothing thinner can be learnt
SMALLEST_SPRITE = 7  # pixels


def pyramid(texture: Image, levels: int = 6) -> list[Image]:
    """A texture and its halvings, finest first, none under 4 pixels."""
    result = [texture]
    while len(result) < levels and min(result[-1].shape[:2]) >= 8:
        result.append(cv2.pyrDown(result[-1]))
    return result


def fixed_point(pixels: Array) -> NDArray[np.int32]:
    """Pixels [N, 2] in the fixed-point coordinates that cv2.fillPoly takes with SUBPIXEL_BITS."""
    near = np.minimum(np.maximum(pixels, -FARTHEST_PIXEL), FARTHEST_PIXEL)
    return (near * (1 << SUBPIXEL_BITS)).astype(np.int32)


@dataclass(frozen=True)
class Sprite:
    """A flat picture that always faces the camera."""

    color: list[Image]  # pyramid, [h, w, 4]: BGR and opacity
    outline: Image  # [h, w], 255 where the sprite's label holds


class Painter:
    """A canvas seen through a camera in some light, at a time in seconds.

    Colours are BGR, 0-255; shade is the brightness that light gives to a surface, about 1.
    """

    def __init__(self, camera: Camera, light: Light, time: float) -> None:
        self.camera = camera
        self.light = light
        self.time = time
        self.canvas = np.zeros((camera.height, camera.width, 4), np.uint8)

    @property
    def image(self) -> Image:
        """The colours, uint8 BGR [H, W, 3]: a copy."""
        return cv2.cvtColor(self.canvas, cv2.COLOR_BGRA2BGR)

    @property
    def labels(self) -> Image:
        """The class ids, uint8 [H, W]: a copy."""
        return cv2.extractChannel(self.canvas, 3)

    def hazed(self, color: Color, depth: float, shade: float = 1.0) -> Color:
        """A surface's colour in this light, seen through depth metres of air."""
        fog = self.light.fog(depth)
        keep = shade * (1 - fog)
        (b, g, r), (haze_b, haze_g, haze_r) = color, self.light.haze_color
        return (
            min(b * keep + haze_b * fog, 255.0),
            min(g * keep + haze_g * fog, 255.0),
            min(r * keep + haze_r * fog, 255.0),
        )

    def fill(self, pixels: Array, color: Sequence[float], label: int) -> None:
        """A polygon of pixels [N, 2] in a colour that is lit and hazed already."""
        b, g, r = color
        paint = (float(b), float(g), float(r), float(label))
        cv2.fillPoly(self.canvas, [fixed_point(pixels)], paint, cv2.LINE_8, SUBPIXEL_BITS)

    def face(self, points: Array, color: Color, label: int, shade: float = 1.0) -> None:
        """A flat polygon of street points [N, 3]."""
        optical = clip_near(self.camera.to_camera(points))
        if len(optical) >= 3:
            depth = float(optical[:, 2].mean())
            self.fill(self.camera.pixels(optical), self.hazed(color, depth, shade), label)

    def blend(self, pixels: Array, color: Color, opacity: float, label: int) -> None:
        """A see-through polygon of pixels [N, 2]: its label is whole, its colour in part."""
        box = self._box(pixels)
        if box is None:
            return
        left, top, right, bottom = box
        part = self.canvas[top:bottom, left:right]
        mask = np.zeros(part.shape[:2], np.uint8)
        outline = fixed_point(pixels - (left, top))
        cv2.fillPoly(mask, [outline], 255, cv2.LINE_8, SUBPIXEL_BITS)
        over = np.empty_like(part)
        over[:] = (*color, label)
        mixed = cv2.addWeighted(over, opacity, part, 1 - opacity, 0)
        mixed[:, :, 3] = label
        cv2.copyTo(mixed, mask, part)

    def texture(self, corners: Array, levels: list[Image], label: int, shade: float) -> None:
        """A texture pyramid on a quad of street points [4, 3]; nothing if a corner is too near.

        Corners: the texture's top left, top right, bottom right, bottom left.
        """
        pixels, depth = self.camera.project(corners)
        if depth.min() < NEAR:
            return
        box = self._box(pixels)
        if box is None:
            return
        source = levels[_level(pixels, levels)]
        lit = self._lit(source, shade, float(depth.mean()))
        height, width = source.shape[:2]
        # Filled first, since the warp leaves out the rim, where a texel would be half outside.
        self.fill(pixels, lit[height // 2, :].mean(0)[:3], label)
        left, top, right, bottom = box
        rim = [(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)]
        target = (pixels - (left, top)).astype(np.float32)
        warped = cv2.warpPerspective(
            cv2.merge([lit, np.full((height, width), label, np.uint8)]),
            cv2.getPerspectiveTransform(np.array(rim, np.float32), target),
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(0, 0, 0, 255),
        )
        inside = cv2.inRange(cv2.extractChannel(warped, 3), label, label)
        cv2.copyTo(warped, inside, self.canvas[top:bottom, left:right])

    def sprite(
        self,
        foot: tuple[float, float, float],
        size: tuple[float, float],
        sprite: Sprite,
        label: int,
        shade: float,
    ) -> None:
        """A sprite of a (width, height) in metres whose bottom centre is at a street point."""
        camera = self.camera
        pixels, depths = camera.project(np.array([foot]))
        depth = float(depths[0])
        if depth < 1.0:
            return
        wide, tall = camera.fx * size[0] / depth, camera.fy * size[1] / depth
        if min(wide, tall) < SMALLEST_SPRITE:
            return
        u, v = pixels[0]
        corner = (u - wide / 2, v - tall)
        box = self._box(np.array([corner, (u + wide / 2, v)]))
        if box is None:
            return
        left, top, right, bottom = box
        shrink = np.floor(np.log2(max(sprite.outline.shape[0] / tall, 1.0)) + 0.3)
        source = sprite.color[min(int(shrink), len(sprite.color) - 1)]

        def seen(picture: Image, smoothing: int) -> Image:
            """The part of a picture that lies in the box, in the canvas' pixels."""
            kx, ky = picture.shape[1] / wide, picture.shape[0] / tall
            affine = np.array([(kx, 0, (left - corner[0]) * kx), (0, ky, (top - corner[1]) * ky)])
            flags = smoothing | cv2.WARP_INVERSE_MAP
            return cv2.warpAffine(picture, affine, (right - left, bottom - top), flags=flags)

        over = seen(source, cv2.INTER_LINEAR)
        outline = seen(sprite.outline, cv2.INTER_NEAREST)
        opacity = cv2.extractChannel(over, 3).astype(np.float32) * (1 / 255)
        opacity[outline == 0] = 0
        part = self.canvas[top:bottom, left:right]
        lit = self._lit(over, shade, depth)
        mixed = cv2.blendLinear(lit, np.ascontiguousarray(part), opacity, 1 - opacity)
        mixed[:, :, 3] = label
        cv2.copyTo(mixed, outline, part)

    def _lit(self, picture: Image, shade: float, depth: float) -> Image:
        """A picture [h, w, 3 or 4] in this light, seen through depth metres of air."""
        fog = self.light.fog(depth)
        b, g, r = self.light.haze_color
        lit = cv2.addWeighted(picture, shade * (1 - fog), picture, 0, 0)
        return cv2.add(lit, (b * fog, g * fog, r * fog, 0.0))

    def _box(self, pixels: Array) -> tuple[int, int, int, int] | None:
        """The canvas' part that pixels [N, 2] span: left, top, right, bottom; None if none."""
        low, high = np.floor(pixels.min(0)), np.ceil(pixels.max(0)) + 1
        left, top = max(int(low[0]), 0), max(int(low[1]), 0)
        right, bottom = min(int(high[0]), self.camera.width), min(int(high[1]), self.camera.height)
        return (left, top, right, bottom) if left < right and top < bottom else None


def _level(pixels: Array, levels: list[Image]) -> int:
    """The level whose texels are about a pixel large on a quad of pixels [4, 2]."""
    height, width = levels[0].shape[:2]
    across = math.dist(pixels[1], pixels[0]) / width
    along = max(math.dist(pixels[0], pixels[3]), math.dist(pixels[1], pixels[2]))
    density = np.sqrt(max(across, 1e-3) * along / height)
    level = int(np.floor(-np.log2(max(density, 1e-6)) + 0.3))
    return min(max(level, 0), len(levels) - 1)
