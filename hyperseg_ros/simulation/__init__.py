"""A street seen by a moving camera, with exact labels: NumPy and OpenCV, no ROS, no torch."""

from hyperseg_ros.simulation.street_camera import Intrinsics, SimulatedFrame, StreetCamera

__all__ = ["Intrinsics", "SimulatedFrame", "StreetCamera"]
