"""Light of a drive: the sun, ambient light, haze and the tint of the weather."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Color = tuple[float, float, float]  # BGR, 0-255


def bgr(values: Iterable[float]) -> Color:
    """Three numbers as a colour of plain floats."""
    b, g, r = values
    return (float(b), float(g), float(r))


@dataclass(frozen=True)
class Weather:
    """Ranges that a drive's light is drawn from."""

    direct: tuple[float, float]
    clouds: tuple[float, float]
    gain: tuple[float, float]
    sky: tuple[Color, Color] | None = None  # at the top, at the horizon; None: some grey


OVERCAST = Weather((0.05, 0.2), (0.6, 1.0), (0.75, 1.1))
SUNNY = Weather((0.4, 0.6), (0.1, 0.6), (0.85, 1.2), ((220, 175, 130), (250, 238, 222)))
WASHED_OUT = Weather((0.2, 0.45), (0.0, 0.3), (1.0, 1.35), ((255, 250, 240), (255, 255, 253)))
DUSK = Weather((0.1, 0.3), (0.3, 0.9), (0.38, 0.62), ((235, 215, 195), (245, 245, 250)))
WEATHERS = (OVERCAST, SUNNY, WASHED_OUT, DUSK)
WEATHER_SHARES = (0.3, 0.33, 0.25, 0.12)
BLUES = ((195, 245), (150, 200), (95, 160))  # ranges of the top of a sunny sky, BGR


@dataclass(frozen=True)
class Light:
    """Directional sun over ambient light."""

    sun: NDArray[np.floating]  # unit vector towards the sun, street coordinates
    direct: float  # share of light that comes from the sun; 0 overcast
    sky_top: Color
    sky_horizon: Color
    clouds: float  # cover, 0-1
    haze: float  # metres after which 63 % of an object's colour is the haze's
    tint: Color  # white balance, multiplies BGR, about 1
    gain: float  # exposure
    gamma: float  # tone curve of the sensor

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Light:
        """The light of one of the WEATHERS, at random."""
        weather = WEATHERS[int(rng.choice(len(WEATHERS), p=WEATHER_SHARES))]
        azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.95)
        level = np.cos(elevation)
        sun = np.array([np.cos(azimuth) * level, np.sin(azimuth) * level, np.sin(elevation)])
        gray = float(rng.uniform(190, 250))
        direct, clouds, gain = (
            float(rng.uniform(*span)) for span in (weather.direct, weather.clouds, weather.gain)
        )
        top, horizon = weather.sky or (
            (gray * 0.93, gray * 0.9, gray * 0.87),
            (gray, gray, gray * 0.99),
        )
        if weather is SUNNY:
            top = bgr(rng.uniform(*span) for span in BLUES)
        tint = (float(rng.uniform(0.92, 1.1)), 1.0, float(rng.uniform(0.92, 1.08)))
        haze = float(rng.uniform(160, 420))
        gamma = float(rng.uniform(0.85, 1.2))
        return cls(sun, direct, top, horizon, clouds, haze, tint, gain, gamma)

    @property
    def haze_color(self) -> Color:
        """What far things fade into."""
        b, g, r = self.sky_horizon
        return (b * 0.92, g * 0.92, r * 0.92)

    def shade(self, normal: NDArray[np.floating]) -> NDArray[np.floating]:
        """Brightness of faces with outward unit normals [..., 3], about 0.5-1.2."""
        facing = np.clip(normal @ self.sun, 0, 1)
        upward = 0.5 + 0.5 * normal[..., 2]
        return (1 - self.direct) * (0.72 + 0.28 * upward) + self.direct * (0.35 + 1.15 * facing)

    def fog(self, depth: float) -> float:
        """Share of haze in the colour of something at a depth in metres."""
        return 1.0 - math.exp(-max(depth, 0.0) / self.haze)
