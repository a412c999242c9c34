"""`python -m hyperseg_ros.demo`: camera, segmentation node, recorder and viewer over DDS."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hyperseg_ros.demo.processes import NodeProcess, ProcessError
from hyperseg_ros.demo.sources import SIMULATED, open_source
from hyperseg_ros.runtime import BACKENDS, find_model, read_card
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL

FRAMES = 300
DOMAINS = range(1, 102)
"""Domains whose ports lie below the ephemeral ones."""
DOMAIN_COORDINATOR_PORT = 22119
LOCAL = {
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    # By default an image does not fit into Fast DDS's shared memory, and takes three times as long.
    "FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA",
}
HUMBLE_LOCAL = {"ROS_LOCALHOST_ONLY": "1"}
FINISH_TIME = 30.0
"""Seconds the recorder has, after Ctrl-C, to write what it has."""
USAGE_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line of the demo."""
    parser = argparse.ArgumentParser(
        prog="python -m hyperseg_ros.demo",
        description="Segment a drive in a live ROS 2 graph and record what comes back.",
    )
    parser.add_argument(
        "source",
        nargs="?",
        default=SIMULATED,
        help="a video file, an image folder (with labels beside it, if any), /dev/videoN, or "
        f"'{SIMULATED}' (default): a street camera that needs no hardware",
    )
    parser.add_argument(
        "--frames",
        type=_count,
        metavar="N",
        help=f"end after N (default: {FRAMES}); 0: at the source's end",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo_output"), help="folder to write to"
    )
    parser.add_argument("--rate", type=float, help="frames a second (default: the source's own)")
    parser.add_argument(
        "--size", type=_size, metavar="WxH", help="of the simulated camera or of a device"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the simulated drive")
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="an ONNX file, or the name of a shipped model"
    )
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="what runs it")
    parser.add_argument(
        "--view",
        action="store_true",
        help="show it in the browser too, until Ctrl-C unless --frames says otherwise",
    )
    options = parser.parse_args(arguments)
    if options.frames is None:
        options.frames = 0 if options.view else FRAMES
    return options


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{count} is below 0")
    return count


def _size(text: str) -> tuple[int, int]:
    width, separator, height = text.lower().partition("x")
    if not (separator and width.isdecimal() and height.isdecimal() and int(width) * int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 640x480")
    return int(width), int(height)


@contextlib.contextmanager
def ros_environment(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment of the demo's processes: a graph of their own, on this machine only.

    The ROS domain is held, while the context lasts, by a port that only one program can listen on,
    as ROS 2's domain_coordinator does it. A ROS_DOMAIN_ID that is set already is left alone: then
    the demo joins that graph.
    """
    if "ROS_DOMAIN_ID" in environment:
        yield dict(environment)
        return
    with socket.socket() as holder:
        for domain in random.sample(DOMAINS, len(DOMAINS)):
            with contextlib.suppress(OSError):
                holder.bind(("127.0.0.1", DOMAIN_COORDINATOR_PORT + domain))
                break
        yield {
            **environment,
            **(HUMBLE_LOCAL if environment.get("ROS_DISTRO") == "humble" else LOCAL),
            "ROS_DOMAIN_ID": str(domain),
        }


def node_parameters(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """The ROS parameters of each process, by its executable."""
    width, height = options.size or (0, 0)
    model = str(find_model(options.model).resolve())
    parameters: dict[str, dict[str, object]] = {
        "segmentation_node": {
            "image_topics": ["/camera/image_raw"],
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
        },
        "demo_recorder": {"output": str(options.output), "model": model},
    }
    if options.view:
        parameters["viewer"] = {"image_topics": ["/camera/image_raw"]}
    return parameters


def run(options: argparse.Namespace) -> None:
    """Run the demo until the recorder has written everything.

    Raises:
        ValueError: a source or model that cannot be.
        ProcessError: a process ended before its time.
        KeyboardInterrupt: after everything has ended and the recorder has written what it had.
    """
    classes = read_card(find_model(options.model)).classes
    # Opened here only to fail at once, and in one sentence.
    drive = open_source(
        options.source, classes, rate=options.rate, size=options.size, seed=options.seed
    )
    title = drive.title
    del drive
    logs = options.output / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    print(f"{title} -> {options.model} -> {options.output}", flush=True)
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(ros_environment(os.environ))
        environment.setdefault("ROS_LOG_DIR", str((logs / "ros").resolve()))
        node, camera, recorder, *others = (
            stack.enter_context(
                NodeProcess(
                    executable,
                    parameters,
                    logs,
                    environment,
                    quiet=executable not in ("demo_recorder", "viewer"),
                )
            )
            for executable, parameters in node_parameters(options).items()
        )
        try:
            while not recorder.ended():
                camera.ended()
                for process in (node, *others):
                    if process.ended():
                        raise ProcessError(f"{process.name} ended before the demo")
                time.sleep(0.1)
        except KeyboardInterrupt:
            camera.interrupt()
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
