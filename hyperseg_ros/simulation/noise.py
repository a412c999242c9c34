"""Seeded textures of noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def cloud_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    scale: float,
    octaves: int = 4,
    stretch: float = 1.0,
) -> NDArray[np.float32]:
    """Smooth noise [H, W] in 0-1: octaves of interpolated random grids.

    The largest grid has cells scale pixels high and stretch times as wide.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    weight = 0.0
    for octave in range(octaves):
        cell = max(scale / 2**octave, 1.0)
        grid = rng.random(
            (int(height / cell) + 2, int(width / (cell * stretch)) + 2), dtype=np.float32
        )
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5**octave
        weight += 0.5**octave
    return np.clip(total / weight, 0, 1)
