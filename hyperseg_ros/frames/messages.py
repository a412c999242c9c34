"""What each message holds: its fields but for the header, as plain values.

A message inside a message is a dictionary too. The names are those of the message definitions, so
that rclpy's classes and a bag writer's take them alike.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.frame import SegmentedFrame
from hyperseg_ros.frames.run_length import encode_classes
from hyperseg_ros.geometry import FreeSpace
from hyperseg_ros.geometry.grid import GridLayout
from hyperseg_ros.geometry.points import POINT

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
LABEL_INFO = "vision_msgs/msg/LabelInfo"
CLASS_MASKS = "hyperseg_ros/msg/ClassMasks"
POINT_CLOUD = "sensor_msgs/msg/PointCloud2"
LASER_SCAN = "sensor_msgs/msg/LaserScan"
OCCUPANCY_GRID = "nav_msgs/msg/OccupancyGrid"

# sensor_msgs/PointField's types: UINT8 and FLOAT32, of which `rgb` is one as PCL packs it.
_POINT_TYPES = {"x": 7, "y": 7, "z": 7, "rgb": 7, "label": 2, "confidence": 2}

Fields = dict[str, Any]

# Labels come in long runs: a fifth of the time of OpenCV's own filters, at a similar size.
_PNG = [
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
]
_PNG_GRADUAL = _PNG
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # from OpenCV 4.12 on
    _PNG_GRADUAL = [*_PNG, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
    _PNG = [*_PNG, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]


def image_fields(pixels: NDArray[np.uint8], encoding: str) -> Fields:
    """Of an Image, in rows that are not padded.

    Args:
        pixels: uint8 [H, W] or [H, W, C], C-contiguous; `data` shares their memory.
        encoding: of 8-bit channels.
    """
    return {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": math.prod(pixels.shape[1:]),
        "data": pixels.reshape(-1),
    }


def png_fields(pixels: NDArray[np.uint8], gradual: bool = False) -> Fields:
    """Of a lossless mono8 CompressedImage, as image_transport names and reads it.

    Args:
        pixels: uint8 [H, W]: ids or masks, or with `gradual` values that change little from row
            to row.
        gradual: which of these is to be made small; both give back the same pixels.
    """
    encoded, png = cv2.imencode(".png", pixels, _PNG_GRADUAL if gradual else _PNG)
    if not encoded:
        raise RuntimeError(f"OpenCV cannot write a PNG of {pixels.shape}")
    return {"format": "mono8; png compressed ", "data": png.reshape(-1)}


def class_masks_fields(frame: SegmentedFrame, classes: ClassTable) -> Fields:
    """Of the ClassMasks of a frame: the mask of every class that it shows."""
    height, width = frame.labels.shape
    masks = [
        {
            "id": mask.class_id,
            "name": classes.names[mask.class_id],
            "pixel_count": mask.pixel_count,
            "mean_confidence": mask.mean_confidence,
            "bounding_box": {
                "x_offset": mask.x,
                "y_offset": mask.y,
                "height": mask.height,
                "width": mask.width,
                "do_rectify": False,
            },
            "counts": mask.counts,
        }
        for mask in encode_classes(frame.labels, frame.confidence, len(classes))
    ]
    return {"height": height, "width": width, "masks": masks}


def label_info_fields(classes: ClassTable, min_confidence: float) -> Fields:
    """Of the LabelInfo that names the ids of label images."""
    return {
        "class_map": [
            {"class_id": index, "class_name": name} for index, name in enumerate(classes.names)
        ],
        "threshold": min_confidence,
    }


def laser_scan_fields(free_space: FreeSpace) -> Fields:
    """Of the LaserScan of free space, in the ground frame; ranges as REP 117 has them."""
    bearings = free_space.bearings
    return {
        "angle_min": float(bearings[0]),
        "angle_max": float(bearings[-1]),
        "angle_increment": free_space.increment,
        "time_increment": 0.0,
        "scan_time": 0.0,
        "range_min": free_space.min_range,
        "range_max": free_space.max_range,
        "ranges": free_space.ranges,
        "intensities": free_space.confidence,
    }


def occupancy_grid_fields(layout: GridLayout, cells: NDArray[np.int8], stamp: Any) -> Fields:
    """Of the OccupancyGrid of free space, in the ground frame.

    Args:
        layout: of the grid.
        cells: int8 [height, width].
        stamp: of the image that it is made of.
    """
    x, y = layout.origin
    return {
        "info": {
            "map_load_time": stamp,
            "resolution": layout.resolution,
            "width": layout.width,
            "height": layout.height,
            "origin": {
                "position": {"x": float(x), "y": float(y), "z": 0.0},
                "orientation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0},
            },
        },
        "data": cells.reshape(-1),
    }


def point_cloud_fields(points: NDArray[np.void]) -> Fields:
    """Of the organized PointCloud2 of labelled points, `geometry.points.POINT` [H, W]."""
    height, width = points.shape
    layout: Any = POINT.fields
    return {
        "height": height,
        "width": width,
        "fields": [
            {"name": name, "offset": layout[name][1], "datatype": datatype, "count": 1}
            for name, datatype in _POINT_TYPES.items()
        ],
        "is_bigendian": False,
        "point_step": POINT.itemsize,
        "row_step": POINT.itemsize * width,
        "data": points.view(np.uint8).reshape(-1),
        "is_dense": False,
    }
