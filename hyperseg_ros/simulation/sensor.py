"""What the lens and the sensor do to the light: blur, vignette, exposure, noise."""

from __future__ import annotations

import cv2
import numpy as np

from hyperseg_ros.simulation.light import Light
from hyperseg_ros.simulation.painter import Image

MARGIN = 64  # pixels by which the noise is larger than the picture, so that it differs by frame


class Sensor:
    """A camera's look: fixed over a drive but for exposure and noise, which are a frame's own."""

    def __init__(self, rng: np.random.Generator, light: Light, width: int, height: int) -> None:
        self._sharpness = float(rng.uniform(0.4, 0.75))  # Gaussian sigma of the lens, pixels
        self._seed = int(rng.integers(1 << 31))
        self._sway = float(rng.uniform(0.1, 0.35)), float(rng.uniform(0, 6.28))
        self._light = light
        # u * u + v * v is 2 in the corners.
        v, u = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        strength = rng.uniform(0.04, 0.22)
        vignette = 255 * (1 - strength * (u * u + v * v) / 2)
        self._vignette = cv2.merge([vignette.astype(np.uint8)] * 3)
        sigma = rng.uniform(2.0, 5.0) * light.grain
        grain = rng.standard_normal((height + MARGIN, width + MARGIN, 3), dtype=np.float32)
        self._noise = np.clip(128.5 + grain * np.float32(sigma), 0, 255).astype(np.uint8)

    def expose(self, image: Image, index: int, time: float) -> Image:
        """The picture that the sensor delivers.

        image: what the lens sees, uint8 BGR [H, W, 3]; index seeds the noise; time in seconds.
        """
        light = self._light
        rate, phase = self._sway
        # The exposure wavers slowly, as an automatic one does.
        gain = light.gain * (1 + 0.08 * np.sin(time * rate + phase))
        levels = np.arange(256)[:, None] / 255
        curve = np.clip(levels * gain * np.array(light.tint), 0, None) ** light.gamma
        # Highlights are compressed softly.
        curve = np.where(curve > 0.8, 0.8 + 0.2 * np.tanh((curve - 0.8) / 0.2), curve)
        table = np.clip(curve * 255, 0, 255).astype(np.uint8)[None]
        soft = cv2.GaussianBlur(image, (3, 3), self._sharpness)
        toned = cv2.multiply(cv2.LUT(soft, table), self._vignette, scale=1 / 255)
        height, width = image.shape[:2]
        top, left = np.random.default_rng([self._seed, index]).integers(0, MARGIN, 2)
        grain = self._noise[top : top + height, left : left + width]
        return cv2.addWeighted(toned, 1.0, grain, 1.0, -128)
