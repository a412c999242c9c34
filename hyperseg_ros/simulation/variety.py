"""Other cameras, weathers and towns than the common ones, for training that is to hold up there."""

from __future__ import annotations

import math

import numpy as np

from hyperseg_ros.simulation.fronts import STYLES
from hyperseg_ros.simulation.lens import Lens
from hyperseg_ros.simulation.light import WEATHERS
from hyperseg_ros.simulation.mount import Mount
from hyperseg_ros.simulation.street_camera import StreetCamera

FOCAL = (0.58, 0.85)
"""Focal lengths of the lenses, in widths of the image."""
BARREL = (-0.1, 0.0)
"""k1 of the lenses that are not fisheyes."""


def varied_camera(seed: int, width: int = 640, height: int = 480) -> StreetCamera:
    """A drive whose camera, lens, weather and buildings are drawn more widely than a seed's own.

    Cameras are 0.5 to 2.3 m high and tilted by up to 8 degrees; two in three are rolled, by up to
    15 degrees, and two in three have a lens with distortion, most of them a fisheye.

    Args:
        seed: of the drive, 0 or more; the same street as `StreetCamera(seed)`.
        width, height: of the image, pixels.
    """
    rng = np.random.default_rng([seed, 6])
    weather = str(rng.choice(list(WEATHERS))) if rng.random() < 0.7 else None
    style = str(rng.choice(list(STYLES)))
    mount = Mount(
        height=float(rng.uniform(0.5, 2.3) if rng.random() < 0.5 else rng.uniform(1.2, 1.55)),
        roll=math.radians(rng.uniform(-15, 15)) if rng.random() < 0.67 else 0.0,
        pitch=math.radians(rng.uniform(-8, 6) if rng.random() < 0.5 else rng.uniform(-4, 0)),
        yaw=math.radians(rng.uniform(-6, 6)),
    )
    lens = _draw_lens(rng, width)
    return StreetCamera(seed, width, height, mount=mount, lens=lens, weather=weather, style=style)


def _draw_lens(rng: np.random.Generator, width: int) -> Lens | None:
    kind, focal = rng.random(), float(rng.uniform(*FOCAL)) * width
    if kind > 0.67:
        return None
    if kind > 0.45:
        return Lens("plumb_bob", (float(rng.uniform(*BARREL)), 0.0, 0.0, 0.0), focal)
    first, second = float(rng.uniform(-0.03, 0.03)), float(rng.uniform(-0.005, 0.005))
    return Lens("equidistant", (first, second, 0.0, 0.0), focal)
