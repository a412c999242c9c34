"""Calibrations for tests: the fields of a CameraInfo, without ROS."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

LENSES = {
    "none": ("", ()),
    "plumb_bob": ("plumb_bob", (-0.28, 0.09, 0.0008, -0.0005, -0.012)),
    "rational_polynomial": (
        "rational_polynomial",
        (0.21, -0.35, 0.0004, 0.0002, 0.11, 0.58, -0.41, 0.05),
    ),
    "equidistant": ("equidistant", (-0.012, 0.004, -0.0021, 0.0003)),
}


def camera_info(
    lens: str = "none", width: int = 640, height: int = 480, fx: float = 500.0, **changes: Any
) -> Any:
    """What a driver would say of a camera with one of `LENSES`."""
    model, d = LENSES[lens]
    cx, cy = (width - 1) / 2 + 3.25, (height - 1) / 2 - 5.5
    fields = {
        "width": width,
        "height": height,
        "distortion_model": model,
        "d": list(d),
        "k": [fx, 0.0, cx, 0.0, fx * 1.01, cy, 0.0, 0.0, 1.0],
        "p": [fx * 0.9, 0.0, cx, 0.0, 0.0, fx * 0.9, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
        "binning_x": 0,
        "binning_y": 0,
        "roi": SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0),
    }
    return SimpleNamespace(**{**fields, **changes})
