"""The sun in the picture: a disc, its halo, and a veil over everything."""

from __future__ import annotations

import numpy as np

from hyperseg_ros.simulation.camera import Camera
from hyperseg_ros.simulation.light import Light
from hyperseg_ros.simulation.painter import Image

LOW = 0.3  # radians of elevation, above which no sun is in the picture
COLOR = np.array([225.0, 245.0, 255.0], np.float32)  # BGR


def dazzle(image: Image, camera: Camera, light: Light) -> Image:
    """A picture, uint8 BGR [H, W, 3], with the sun in it where the sun is low, ahead and out."""
    right, down, forward = camera.axes @ light.sun
    if light.sun[2] > np.sin(LOW) or light.direct < 0.4 or forward < 0.3:
        return image
    column, row = camera.cx + camera.fx * right / forward, camera.cy + camera.fy * down / forward
    rows, columns = np.ogrid[: camera.height, : camera.width]
    angle = np.hypot((columns - column) / camera.fx, (rows - row) / camera.fy).astype(np.float32)
    power = np.float32(2.2 * (light.direct - 0.3))
    halo = power * (2.5 * np.exp(-((angle / 0.04) ** 2)) + 0.8 * np.exp(-angle / 0.12))
    veil = halo + power * np.float32(0.25) * np.exp(-angle / 0.6)
    return np.clip(image + veil[:, :, None] * COLOR, 0, 255).astype(np.uint8)
