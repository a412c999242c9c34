"""`python -m hyperseg_ros.demo`: camera, segmentation node, recorder and viewer over DDS."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence

from hyperseg_ros.demo.environment import ros_environment
from hyperseg_ros.demo.free_space import BEARINGS, MAX_RANGE, STEP
from hyperseg_ros.demo.options import parse_arguments
from hyperseg_ros.demo.processes import NodeProcess, ProcessError
from hyperseg_ros.demo.sources import open_source
from hyperseg_ros.node.fastdds_profile import profile_here
from hyperseg_ros.runtime import find_model, read_card
from hyperseg_ros.simulation import Mount

NAMESPACE = "/demo"
"""Of everything, so that the demo can run beside a robot's nodes."""
CAMERA_NAMESPACE = f"{NAMESPACE}/camera"
IMAGE_TOPIC = f"{CAMERA_NAMESPACE}/image_raw"
FINISH_TIME = 30.0
"""Seconds the recorder has, after Ctrl-C, to write what it has."""
USAGE_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT


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


def run(options: argparse.Namespace) -> None:
    """Run the demo until the recorder has written everything.

    Raises:
        ValueError: the source or the model is invalid.
        ProcessError: a process ended before its time.
        KeyboardInterrupt: after everything has ended and the recorder has written what it had.
    """
    classes = read_card(find_model(options.model)).classes
    # Opened here only to fail at once, and in one sentence.
    drive = open_source(
        options.source, classes, rate=options.rate, size=options.size, seed=options.seed
    )
    title, live, mount = drive.title, drive.live, drive.mount
    del drive
    logs = options.output / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    print(f"{title} -> {options.model} -> {options.output}", flush=True)
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(ros_environment(os.environ))
        environment.setdefault("ROS_LOG_DIR", str((logs / "ros").resolve()))
        profile = profile_here(options.fastdds_profile, environment)
        environment.update(profile.variables)
        if profile.concerns:
            print(profile.said, flush=True)
        node, camera, recorder, *others = (
            stack.enter_context(
                NodeProcess(
                    executable,
                    CAMERA_NAMESPACE if executable.startswith("demo_") else NAMESPACE,
                    parameters,
                    logs,
                    environment,
                    quiet=executable not in ("demo_recorder", "viewer"),
                )
            )
            for executable, parameters in node_parameters(options, live, mount).items()
        )
        try:
            while not recorder.ended():
                _check(camera, recorder)
                for process in (node, *others):
                    if process.ended():
                        raise ProcessError(f"{process.name} ended before the demo")
                time.sleep(0.1)
            camera.ended()
        except KeyboardInterrupt:
            for process in (camera, recorder):
                process.interrupt()
            recorder.wait(FINISH_TIME)
            raise


def _check(camera: NodeProcess, recorder: NodeProcess) -> None:
    """Gives the recorder of a camera that has failed the time to write what came before."""
    try:
        camera.ended()
    except ProcessError:
        recorder.interrupt()
        recorder.wait(FINISH_TIME)
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """The demo as a command; the exit code of the process."""
    options = parse_arguments(arguments)
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ProcessError as error:
        print(error, file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    return 0
