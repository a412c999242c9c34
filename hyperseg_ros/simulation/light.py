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
    azimuth: tuple[float, float] = (0.0, 2 * math.pi)  # of the sun, from +x to +y, radians
    elevation: tuple[float, float] = (0.3, 0.95)  # of the sun, radians
    wet: tuple[float, float] = (0.0, 0.0)
    grain: tuple[float, float] = (1.0, 1.0)


SUNNY = Weather((0.4, 0.6), (0.1, 0.6), (0.85, 1.2), ((220, 175, 130), (250, 238, 222)))
AHEAD = (math.pi / 2 - 0.6, math.pi / 2 + 0.6)
WEATHERS = {
    "overcast": Weather((0.05, 0.2), (0.6, 1.0), (0.75, 1.1)),
    "sunny": SUNNY,
    "washed out": Weather((0.2, 0.45), (0.0, 0.3), (1.0, 1.35), ((255, 250, 240), (255, 255, 253))),
    "dusk": Weather((0.1, 0.3), (0.3, 0.9), (0.38, 0.62), ((235, 215, 195), (245, 245, 250))),
    "nightfall": Weather(
        (0.0, 0.1),
        (0.4, 1.0),
        (0.18, 0.4),
        ((215, 180, 150), (235, 215, 205)),
        grain=(1.5, 3.0),
    ),
    "low sun": Weather(
        (0.45, 0.65),
        (0.0, 0.4),
        (0.75, 1.25),
        ((225, 190, 160), (215, 235, 252)),
        azimuth=AHEAD,
        elevation=(0.05, 0.25),
    ),
    "rain": Weather((0.0, 0.1), (0.8, 1.0), (0.55, 1.0), wet=(0.35, 0.9), grain=(1.0, 2.0)),
}
"""By name. The first four are common; the others are drawn only where they are asked for."""
COMMON_SHARES = {"overcast": 0.3, "sunny": 0.33, "washed out": 0.25, "dusk": 0.12}
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

    wet: float = 0.0  # how much the road mirrors, 0-1
    grain: float = 1.0  # of the sensor's noise, relative

    @classmethod
    def draw(cls, rng: np.random.Generator, weather: Weather | None = None) -> Light:
        """The light of a weather, by default one of the common ones at random."""
        common = list(COMMON_SHARES)[int(rng.choice(4, p=list(COMMON_SHARES.values())))]
        weather = weather or WEATHERS[common]
        azimuth, elevation = rng.uniform(*weather.azimuth), rng.uniform(*weather.elevation)
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
        wet, grain = (
            float(rng.uniform(*span)) if span[0] < span[1] else span[0]
            for span in (weather.wet, weather.grain)
        )
        return cls(sun, direct, top, horizon, clouds, haze, tint, gain, gamma, wet, grain)

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
