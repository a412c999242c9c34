"""Sky, clouds and the far skyline: what has a direction but no distance."""

from __future__ import annotations

import cv2
import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.light import Light
from hyperseg_ros.simulation.noise import cloud_noise
from hyperseg_ros.simulation.painter import Image, Painter

DEGREES_WIDE, ROWS, COLUMNS = 120.0, 256, 768
HIGHEST = 0.75  # tangent of the elevation of the panorama's top row


class Sky:
    """A panorama of sky above the horizon, 120 degrees wide."""

    def __init__(self, rng: np.random.Generator, light: Light) -> None:
        height = np.linspace(1, 0, ROWS)[:, None, None]  # 1 at the top, 0 at the horizon
        blend = height**0.7
        sky = np.array(light.sky_horizon) * (1 - blend) + np.array(light.sky_top) * blend
        noise = cloud_noise(rng, (ROWS, COLUMNS), 140, stretch=2.5)[:, :, None]
        cover = np.clip((noise - 0.62 + 0.45 * light.clouds) * 3.2, 0, 1)
        fine = cloud_noise(rng, (ROWS, COLUMNS), 30, stretch=2)[:, :, None]
        cloud = np.array([250.0, 248, 246]) * (0.78 + 0.3 * fine * (0.6 + 0.4 * height))
        sky = sky * (1 - cover * 0.85) + cloud * cover * 0.85
        color = np.clip(sky, 0, 255).astype(np.uint8)
        panorama = cv2.merge([color, np.full((ROWS, COLUMNS), labels.SKY, np.uint8)])
        _draw_skyline(panorama, rng, light)
        self._color = cv2.cvtColor(panorama, cv2.COLOR_BGRA2BGR)
        self._classes = cv2.extractChannel(panorama, 3)

    def paint(self, painter: Painter) -> None:
        """Fills the canvas down to the horizon."""
        camera = painter.camera
        bottom = int(np.clip(np.ceil(camera.horizon) + 1, 0, camera.height))
        if bottom == 0:
            return
        # Tangents of azimuth and elevation are affine in the pixel for the small pitch of a car.
        step_u = COLUMNS / (2 * np.tan(np.radians(DEGREES_WIDE / 2)) * camera.fx)
        step_v = ROWS / (HIGHEST * camera.fy)
        shift_u = COLUMNS / 2 + (np.tan(camera.yaw) * camera.fx - camera.cx) * step_u
        warp = np.array([[step_u, 0, shift_u], [0, step_v, ROWS - 1 - camera.horizon * step_v]])
        for picture, channels, smoothing in (
            (self._color, slice(0, 3), cv2.INTER_LINEAR),
            (self._classes, slice(3, 4), cv2.INTER_NEAREST),
        ):
            seen = cv2.warpAffine(
                picture,
                warp,
                (camera.width, bottom),
                flags=smoothing | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            painter.canvas[:bottom, :, channels] = seen.reshape(bottom, camera.width, -1)


def _draw_skyline(panorama: Image, rng: np.random.Generator, light: Light) -> None:
    """Draws far roofs and tree tops along the bottom of a panorama [h, w, 4], colour and label."""
    haze = np.array(light.sky_horizon)
    column = 0
    while column < COLUMNS:
        wide = int(rng.integers(10, 46))
        tall = int(rng.integers(4, 20))
        tree = rng.random() < 0.45
        base = (60, 82, 70) if tree else rng.uniform(90, 150) * np.array([0.85, 0.93, 1.0])
        color = np.array(base) * 0.6 + haze * 0.4 * rng.uniform(0.7, 1)
        scalar = (*[float(c) for c in color], float(labels.TREE if tree else labels.BUILDING))
        if tree:
            cv2.ellipse(
                panorama,
                (column + wide // 2, ROWS),
                (wide // 2 + 4, tall),
                0,
                180,
                360,
                scalar,
                -1,
            )
        else:
            cv2.rectangle(panorama, (column, ROWS - tall), (column + wide, ROWS), scalar, -1)
        column += wide - int(rng.integers(0, 6))
