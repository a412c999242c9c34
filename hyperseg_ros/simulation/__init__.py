"""A street seen by a moving camera, with exact labels: NumPy and OpenCV, no ROS, no torch."""

from hyperseg_ros.simulation.free_space import Distances
from hyperseg_ros.simulation.lens import Lens
from hyperseg_ros.simulation.mount import Mount, MovedMount
from hyperseg_ros.simulation.street_camera import Intrinsics, SimulatedFrame, StreetCamera
from hyperseg_ros.simulation.variety import varied_camera

__all__ = [
    "Distances",
    "Intrinsics",
    "Lens",
    "Mount",
    "MovedMount",
    "SimulatedFrame",
    "StreetCamera",
    "varied_camera",
]
