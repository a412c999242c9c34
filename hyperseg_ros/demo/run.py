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
from hyperseg_ros.demo.node_parameters import CAMERA_NAMESPACE, NAMESPACE, node_parameters
from hyperseg_ros.demo.options import parse_arguments
from hyperseg_ros.demo.processes import NodeProcess, ProcessError
from hyperseg_ros.demo.sources import open_source
from hyperseg_ros.node.fastdds_profile import profile_here
from hyperseg_ros.runtime import find_model, read_card

FINISH_TIME = 30.0
"""Seconds the recorder has, after Ctrl-C, to write what it has."""
USAGE_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT


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
        _watch(camera, recorder, (node, *others))


def _watch(camera: NodeProcess, recorder: NodeProcess, others: Sequence[NodeProcess]) -> None:
    """Waits for the recorder's end, which comes after the camera's; the others end later."""
    try:
        while not recorder.ended():
            _check(camera, recorder)
            for process in others:
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
