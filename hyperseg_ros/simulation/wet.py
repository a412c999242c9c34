"""Wet streets: the road mirrors what stands above it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from hyperseg_ros.simulation import labels
from hyperseg_ros.simulation.camera import Camera
from hyperseg_ros.simulation.painter import Image, Painter

DARKER = 0.45  # of a wet road's own colour
FALL = 6.0  # of the mirror's strength with the angle below the horizon, tangent


def below_ground(camera: Camera) -> Camera:
    """The camera's mirror image in the ground; its picture upside down is what roads mirror."""
    return replace(camera, z=-camera.z, pitch=-camera.pitch, cy=camera.height - 1 - camera.cy)


def mirror(painter: Painter, seen_from_below: Image, wet: float) -> None:
    """Puts the mirrored street onto road and pavement.

    Args:
        painter: with sky and ground painted.
        seen_from_below: of the camera `below_ground`, uint8 BGR [H, W, 3].
        wet: how much the ground mirrors, 0-1.
    """
    camera = painter.camera
    first = int(np.clip(np.ceil(camera.horizon), 0, camera.height))
    if first == camera.height:
        return
    rough = max(3, camera.height // 24) | 1
    mirrored = cv2.blur(seen_from_below[::-1], (3, rough))[first:].astype(np.float32)
    ground = painter.canvas[first:]
    below = (np.arange(first, camera.height) - camera.horizon) / camera.fy
    strength = (wet * (0.12 + 0.75 * np.exp(-FALL * below))).astype(np.float32)[:, None, None]
    own = ground[:, :, :3] * np.float32(1 - DARKER * wet)
    mixed = np.clip(own * (1 - strength) + mirrored * strength, 0, 255).astype(np.uint8)
    wetted = np.isin(ground[:, :, 3], (labels.ROAD, labels.PAVEMENT))
    ground[:, :, :3][wetted] = mixed[wetted]
