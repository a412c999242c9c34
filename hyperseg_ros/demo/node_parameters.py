"""What the demo's nodes are named, and their ROS parameters."""

from __future__ import annotations

import argparse

from hyperseg_ros.demo.free_space import BEARINGS, MAX_RANGE, STEP
from hyperseg_ros.runtime import find_model
from hyperseg_ros.simulation import Mount

NAMESPACE = "/demo"
"""Of everything, so that the demo can run beside a robot's nodes."""
CAMERA_NAMESPACE = f"{NAMESPACE}/camera"
IMAGE_TOPIC = f"{CAMERA_NAMESPACE}/image_raw"


def node_parameters(
    options: argparse.Namespace, live: bool, mount: Mount | None = None
) -> dict[str, dict[str, object]]:
    """The ROS parameters of each process, by its executable.

    Args:
        options: of the command line.
        live: whether the source has a time of its own, which nobody can hold up.
        mount: of the camera, where it is known.
    """
    width, height = options.size or (0, 0)
    model = str(find_model(options.model).resolve())
    parameters: dict[str, dict[str, object]] = {
        "segmentation_node": {
            "image_topics": [IMAGE_TOPIC],
            "model": model,
            "backend": options.backend,
            # Every drop that the report shows is then the mailbox's, none the transport's.
            "input_reliability": "reliable",
            "output_depth": 10,
        },
        "demo_camera": {
            "source": options.source,
            "model": model,
            "frames": options.frames,
            "rate": float(options.rate or 0.0),
            "width": width,
            "height": height,
            "seed": options.seed,
            "subscribers": 2,
            "wait_for_labels": options.rate is None and not live,
        },
        "demo_recorder": {
            "output": str(options.output),
            "model": model,
            "node": f"{NAMESPACE}/segmentation",
        },
    }
    if mount is not None:
        parameters["segmentation_node"] |= {
            "mount": {IMAGE_TOPIC: [0.0, 0.0, mount.height, mount.roll, mount.pitch, mount.yaw]},
            "free_space_range": [0.0, MAX_RANGE],
            "free_space_angles": [float(BEARINGS[0]), float(BEARINGS[-1])],
            "free_space_angle_increment": STEP,
        }
    if options.view:
        parameters["viewer"] = {"image_topics": [IMAGE_TOPIC]}
    return parameters
