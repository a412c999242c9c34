"""Free space from above."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.demo.free_space import MAX_RANGE, Scan
from hyperseg_ros.demo.lettering import draw_text, text_extent

GROUND = (40, 36, 32)
FREE = (110, 150, 70)
FOUND = (70, 190, 255)
TRUTH = (255, 255, 255)
LINES = (105, 100, 96)
RINGS = (5, 10, 15)
"""Metres."""
SHARPNESS = 8
"""Bits of a fraction of a pixel, as OpenCV takes them."""


def draw_birds_eye(
    found: Scan, truth: Scan | None, width: int, height: int, scale: float = 0.4
) -> NDArray[np.uint8]:
    """The ground ahead: what is free, where it ends, and where it ends in truth.

    Args:
        found, truth: of the frame.
        width, height: of the picture.
        scale: of the text.

    Returns:
        uint8 [height, width, 3], BGR; the camera is below the middle, rings are 5 m apart.
    """
    picture = np.full((height, width, 3), GROUND, np.uint8)
    text = text_extent("15 m", scale)
    bottom, metre = height - 6, max(0, height - 10 - text.height) / MAX_RANGE
    camera = np.array([width / 2, bottom])

    def place(scan: Scan, ranges: NDArray[np.float64]) -> NDArray[np.float64]:
        ahead = np.stack([-np.sin(scan.bearings), -np.cos(scan.bearings)], axis=1)
        return camera + ahead * ranges[:, None] * metre

    reach = found.ranges.astype(np.float64)
    reach = np.clip(np.where(np.isnan(reach), 0, reach), 0, MAX_RANGE)
    outline = np.concatenate([camera[None], place(found, reach)])
    fixed = np.rint(outline * 2**SHARPNESS).astype(np.int32)
    cv2.fillPoly(picture, [fixed], FREE, cv2.LINE_AA, SHARPNESS)
    middle = (round(camera[0]), bottom)
    for ring in RINGS:
        radius = round(ring * metre)
        cv2.ellipse(picture, middle, (radius, radius), 0, 180, 360, LINES, 1, cv2.LINE_AA)
        label = f"{ring} m"
        left = middle[0] - text_extent(label, scale).width // 2
        draw_text(picture, label, left, bottom - radius - 3, scale, TRUTH)
    for scan, color, radius in ((truth, TRUTH, 2), (found, FOUND, 1)):
        if scan is None:
            continue
        ends = np.isfinite(scan.ranges)
        there = Scan(scan.bearings[ends], scan.ranges[ends])
        for x, y in np.rint(place(there, there.ranges.astype(np.float64))).astype(int):
            cv2.circle(picture, (int(x), int(y)), radius, color, cv2.FILLED, cv2.LINE_AA)
    return picture


def draw_key(width: int, scale: float = 0.4) -> NDArray[np.uint8]:
    """What the colours of `draw_birds_eye` mean, uint8 [H, width, 3]."""
    capital = text_extent("H", scale).height
    key = np.full((3 * capital, width, 3), GROUND, np.uint8)
    left = capital
    for name, color in (("free", FREE), ("its end", FOUND), ("in truth", TRUTH)):
        cv2.circle(key, (left, 3 * capital // 2), capital // 2, color, cv2.FILLED, cv2.LINE_AA)
        draw_text(key, name, left + capital, 2 * capital, scale, TRUTH)
        left += 3 * capital + text_extent(name, scale).width
    return key
