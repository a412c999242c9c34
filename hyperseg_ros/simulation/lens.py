"""Lenses with distortion: the picture of a wider pinhole view, as the lens bends it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from hyperseg_ros.simulation.camera import Array, Camera
from hyperseg_ros.simulation.painter import Image

MODELS = ("plumb_bob", "rational_polynomial", "equidistant")
WIDEST = math.radians(70)  # off the axis; what a flat picture can still show
SIDE = 4096  # pixels of the widest pinhole view


@dataclass(frozen=True)
class Lens:
    """A lens by its distortion, in OpenCV's coefficients.

    Raises:
        ValueError: the model is unknown.
    """

    model: str
    """One of `MODELS`, as sensor_msgs/CameraInfo has them."""
    coefficients: tuple[float, ...]
    focal: float | None = None
    """Pixels; the drive's own where it is None."""

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"no lens {self.model!r}: the models are {', '.join(MODELS)}")
        if self.focal is not None and not self.focal > 1:
            raise ValueError(f"a lens has a focal length of more than 1 pixel, not {self.focal}")

    def directions(self, points: Array) -> Array:
        """Directions [N, 3] (right, down, forward) of points [N, 2] at focal length 1."""
        source = points.reshape(-1, 1, 2)
        d = np.array(self.coefficients, np.float64)
        if self.model == "equidistant":
            d = d if d.size else np.zeros(4)
            plane = cv2.fisheye.undistortPoints(source, np.eye(3), d)
        else:
            plane = cv2.undistortPoints(source, np.eye(3), d if d.size else np.zeros(5))
        return np.column_stack([plane.reshape(-1, 2), np.ones(len(points))])


class LensView:
    """What a camera with a lens, turned by roll, sees of a level pinhole camera's picture.

    Args:
        lens: None for a pinhole.
        roll: of the camera, to the right, radians.
        width, height: of its picture, pixels.
        focal, cx, cy: pixels.

    Attributes:
        width, height, cx, cy: of the pinhole view that holds all that it sees; the focal length
            is the lens's.

    Raises:
        ValueError: it sees more than 70 degrees off its axis.
    """

    def __init__(
        self,
        lens: Lens | None,
        roll: float,
        width: int,
        height: int,
        focal: float,
        cx: float,
        cy: float,
    ) -> None:
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        plane = np.column_stack([(columns.ravel() - cx) / focal, (rows.ravel() - cy) / focal])
        seen = (
            np.column_stack([plane, np.ones(len(plane))])
            if lens is None
            else lens.directions(plane)
        )
        turned_x = seen[:, 0] * math.cos(roll) - seen[:, 1] * math.sin(roll)
        turned_y = seen[:, 0] * math.sin(roll) + seen[:, 1] * math.cos(roll)
        reach = float(np.hypot(turned_x, turned_y).max())
        aside = float(np.abs(turned_x).max()) * focal
        top, bottom = float(turned_y.min()) * focal, float(turned_y.max()) * focal
        self.width, self.height = 2 * math.ceil(aside) + 3, math.ceil(bottom - top) + 3
        if not reach <= math.tan(WIDEST) or max(self.width, self.height) > SIDE:
            raise ValueError(
                "the lens sees too much for a simulated view: up to "
                f"{math.degrees(WIDEST):.0f} degrees off its axis can be drawn; use a longer focal "
                "length or a smaller picture"
            )
        self.cx, self.cy = (self.width - 1) / 2, 1 - top
        self._columns = (turned_x * focal + self.cx).reshape(height, width).astype(np.float32)
        self._rows = (turned_y * focal + self.cy).reshape(height, width).astype(np.float32)

    def widened(self, camera: Camera) -> Camera:
        """The pinhole camera at a camera's pose that has this view."""
        return replace(camera, width=self.width, height=self.height, cx=self.cx, cy=self.cy)

    def picture(self, image: Image) -> Image:
        """The lens's picture of the view's, uint8 [H, W, 3]."""
        bent = cv2.remap(image, self._columns, self._rows, cv2.INTER_LINEAR)
        return np.asarray(bent, np.uint8)

    def labels(self, labels: Image) -> Image:
        """The lens's labels of the view's, uint8 [H, W]."""
        bent = cv2.remap(labels, self._columns, self._rows, cv2.INTER_NEAREST)
        return np.asarray(bent, np.uint8)
