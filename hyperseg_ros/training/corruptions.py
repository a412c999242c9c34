"""A robot camera's troubles, for training that withstands them and for measuring whether it does.

After Hendrycks and Dietterich (ICLR 2019): each corruption has severities from 1 to 5. Sizes are
relative to the image's height, so that a severity means the same at every resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

SEVERITIES = (1, 2, 3, 4, 5)

Image: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]
Corruption = Callable[[Floats, int, np.random.Generator], Floats]


def corrupt(image: Image, name: str, severity: int, random: np.random.Generator) -> Image:
    """An image as a camera in trouble would have taken it.

    Args:
        image: uint8 [H, W, 3] RGB; left as it is.
        name: a key of `CORRUPTIONS`.
        severity: 1 (slight) to 5 (severe).
        random: the only source of randomness.

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        ValueError: the name or the severity is not known.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"no corruption {name!r}: there are {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise ValueError(f"a severity is from 1 to 5, not {severity}")
    light = image.astype(np.float32) / np.float32(255)
    return to_bytes(CORRUPTIONS[name](light, severity, random))


def corrupt_randomly(image: Image, random: np.random.Generator) -> Image:
    """A corruption and a severity, each as likely as the others; else as `corrupt`."""
    name = list(CORRUPTIONS)[random.integers(len(CORRUPTIONS))]
    return corrupt(image, name, int(random.choice(SEVERITIES)), random)


def to_bytes(light: Floats) -> Image:
    """0 to 1 as uint8, what is beyond clipped."""
    return np.clip(np.rint(light * 255), 0, 255).astype(np.uint8)


def _noise(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """Of a small sensor at high gain: photons (grows with the light), and read-out."""
    photons = (200, 100, 60, 35, 20)[severity - 1]
    read = (0.02, 0.03, 0.045, 0.06, 0.08)[severity - 1]
    deviation = np.sqrt(np.clip(light, 0, 1) / photons + read**2).astype(np.float32)
    return light + deviation * random.standard_normal(light.shape, np.float32)


def _motion_blur(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """A straight movement in any direction while the shutter was open."""
    length = max(3, round((0.01, 0.017, 0.025, 0.035, 0.045)[severity - 1] * light.shape[0]))
    angle = random.uniform(0, np.pi)
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    offset = middle * np.array([np.cos(angle), np.sin(angle)])
    start, end = (tuple(int(v) for v in np.rint(middle + s * offset)) for s in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA)
    return _filtered(light, kernel / kernel.sum())


def _defocus(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """A lens out of focus, or wet: a disc for each point."""
    radius = max(1.0, (0.004, 0.006, 0.009, 0.012, 0.016)[severity - 1] * light.shape[0])
    side = 2 * int(np.ceil(radius)) + 1
    y, x = np.mgrid[:side, :side] - side // 2
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return _filtered(light, kernel / kernel.sum())


def _dusk(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """Little light, bluish, darker near the ground than in the sky, with the noise of the gain."""
    exposure = (0.45, 0.32, 0.23, 0.16, 0.11)[severity - 1] * random.uniform(0.85, 1.15)
    linear = np.clip(light, 0, 1) ** 2.2
    tint = np.array([0.85, 0.95, 1.15], np.float32)
    fall = np.linspace(1.15, 0.85, light.shape[0], dtype=np.float32)[:, None, None]
    dark = exposure * tint * fall * linear
    photons = (500, 300, 200, 140, 100)[severity - 1]
    deviation = np.sqrt(dark / photons + 0.004**2)
    dark = np.clip(dark + deviation * random.standard_normal(light.shape, np.float32), 0, None)
    return dark ** np.float32(1 / 2.2)


def _glare(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """A low sun or a headlamp: a bright spot, its halo, and a veil that takes the contrast."""
    height, width = light.shape[:2]
    x, y = random.uniform(0, width), random.uniform(0, 0.6 * height)
    rows, columns = np.ogrid[:height, :width]
    distance = np.sqrt((columns - x) ** 2 + (rows - y) ** 2).astype(np.float32) / height
    strength = (0.35, 0.5, 0.7, 0.9, 1.1)[severity - 1]
    halo = strength * (0.7 * np.exp(-((distance / 0.12) ** 2)) + np.exp(-distance / 0.35))
    colour = np.array([1.0, 0.96, 0.88], np.float32)
    veil = (0.08, 0.12, 0.17, 0.22, 0.28)[severity - 1]
    return (1 - veil) * light + veil + halo[..., None] * colour


def _fog(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """Thick towards the horizon, thin on the ground before the camera, and uneven."""
    height, width = light.shape[:2]
    thickness = (0.35, 0.48, 0.6, 0.72, 0.82)[severity - 1]
    horizon = random.uniform(0.35, 0.5)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    near = np.clip((rows - horizon) / (1 - horizon), 0, 1)
    clouds = random.uniform(-1, 1, (5, 6)).astype(np.float32)
    uneven = cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC)
    fog = np.clip(thickness * (1 - 0.75 * near) + 0.08 * uneven, 0, 0.95)[..., None]
    grey = np.float32(random.uniform(0.7, 0.85))
    return (1 - fog) * light + fog * grey


def _rain(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """Streaks in the air, a grey veil, and drops on the lens through which all is blurred."""
    height, width = light.shape[:2]
    streaks = np.zeros((height, width), np.float32)
    slant = random.uniform(-0.3, 0.3)
    for _ in range((150, 300, 500, 750, 1000)[severity - 1] * height * width // (480 * 640)):
        x, y = random.uniform(0, width), random.uniform(-0.1, 1) * height
        length = random.uniform(0.02, 0.08) * height
        end = (round(x + slant * length), round(y + length))
        cv2.line(streaks, (round(x), round(y)), end, float(random.uniform(0.3, 1)), 1, cv2.LINE_AA)
    streaks = cv2.GaussianBlur(streaks, (0, 0), 0.7 * height / 480)[..., None]
    veil = (0.08, 0.12, 0.16, 0.2, 0.25)[severity - 1]
    wet = (1 - veil) * light + veil * 0.65 + 0.35 * streaks
    drops = np.zeros((height, width), np.float32)
    for _ in range((2, 4, 7, 11, 16)[severity - 1]):
        centre = (round(random.uniform(0, width)), round(random.uniform(0, height)))
        radius = max(2, round(random.uniform(0.015, 0.05) * height))
        cv2.circle(drops, centre, radius, 1.0, -1, cv2.LINE_AA)
    drops = cv2.GaussianBlur(drops, (0, 0), 0.006 * height)[..., None]
    through = cv2.GaussianBlur(wet, (0, 0), 0.02 * height)
    return (1 - drops) * wet + drops * (0.9 * through + 0.05)


def _jpeg(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """A thin link."""
    quality = (40, 30, 20, 14, 9)[severity - 1]
    bgr = cv2.cvtColor(to_bytes(light), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return decoded.astype(np.float32) / 255


def _colour_cast(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """A wrong white balance: the gains of the channels differ, brightness stays."""
    spread = (0.12, 0.2, 0.28, 0.36, 0.45)[severity - 1]
    warm, green = random.choice((-1, 1)), random.uniform(-0.5, 0.5)
    gains = np.exp(spread * np.array([warm, green, -warm], np.float32))
    return light * (gains / gains.mean())


def _exposure(light: Floats, severity: int, random: np.random.Generator) -> Floats:
    """A jump of the exposure, as at the end of a tunnel: too bright or too dark, clipped."""
    stops = (0.6, 1.0, 1.4, 1.8, 2.2)[severity - 1] * random.choice((-1, 1))
    return (np.clip(light, 0, 1) ** 2.2 * np.float32(2.0**stops)).clip(0, 1) ** np.float32(1 / 2.2)


CORRUPTIONS: dict[str, Corruption] = {
    "noise": _noise,
    "motion_blur": _motion_blur,
    "defocus": _defocus,
    "dusk": _dusk,
    "glare": _glare,
    "fog": _fog,
    "rain": _rain,
    "jpeg": _jpeg,
    "colour_cast": _colour_cast,
    "exposure": _exposure,
}


def _filtered(light: Floats, kernel: Floats) -> Floats:
    return cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT)
