"""Labels and a calibrated camera in metres: NumPy and OpenCV, no ROS, no torch.

Free space: `CameraModel.of(camera_info)` and a `Pose` go to a `FreeSpaceFinder`, whose `find` gives
the scan of each frame; `GridLayout.draw` makes an occupancy grid of it. `LabelledPoints` joins
labels with a depth image or an organized cloud.
"""

from hyperseg_ros.geometry.camera import CameraModel
from hyperseg_ros.geometry.errors import CalibrationError, DepthError, GeometryError, PoseError
from hyperseg_ros.geometry.free_space import FreeSpace, FreeSpaceFinder, FreeSpaceOptions
from hyperseg_ros.geometry.pose import Pose

__all__ = [
    "CalibrationError",
    "CameraModel",
    "DepthError",
    "FreeSpace",
    "FreeSpaceFinder",
    "FreeSpaceOptions",
    "GeometryError",
    "Pose",
    "PoseError",
]
