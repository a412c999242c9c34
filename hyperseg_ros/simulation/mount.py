"""How a camera is fixed to the car."""

from __future__ import annotations

import math
from dataclasses import dataclass

STEEPEST = math.radians(60)  # of a mount's roll and pitch


@dataclass(frozen=True)
class Mount:
    """A camera's pose above the road, in the car's frame: x forward, y left, z up (REP 103).

    Angles are in radians about fixed axes, as in a URDF: roll to the right, pitch down, yaw left.

    Raises:
        ValueError: the camera is not above the road, or looks aside by more than 60 degrees.
    """

    height: float
    """Metres."""
    roll: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0

    def __post_init__(self) -> None:
        if not 0.05 <= self.height <= 20:
            raise ValueError(f"a camera is mounted 0.05 to 20 m high, not {self.height:g}")
        if not max(abs(self.roll), abs(self.pitch), abs(self.yaw)) <= STEEPEST:
            raise ValueError(
                "a mount's roll, pitch and yaw are 60 degrees at most, not "
                f"{', '.join(f'{math.degrees(a):.1f}' for a in (self.roll, self.pitch, self.yaw))}"
            )


class MovedMount(Mount):
    """A mount that the car's suspension has moved, by which it may be beyond a mount's limits."""

    def __post_init__(self) -> None:
        pass
