"""What can be chosen of the demo, on the command line and as arguments of its launch file."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperseg_ros.demo.sources import SIMULATED
from hyperseg_ros.node.fastdds_profile import AUTO, DESCRIPTION
from hyperseg_ros.runtime import BACKENDS
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL

FRAMES = 300
SOURCE = (
    "a video file, an image folder (with labels beside it, if any), a recording, /dev/videoN, or "
    f"'{SIMULATED}' (default): a street camera that needs no hardware"
)


@dataclass(frozen=True)
class Option:
    """One option: `--a-name VALUE`, or the launch argument `a_name:=VALUE`."""

    name: str
    metavar: str
    description: str
    parse: Callable[[str], Any]
    default: Any = None
    choices: Sequence[str] | None = None

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"


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


OPTIONS = (
    Option("frames", "N", f"end after N (default: {FRAMES}); 0: at the source's end", _count),
    Option("output", "FOLDER", "folder to write to", Path, Path("demo_output")),
    Option(
        "rate",
        "HZ",
        "frames a second, dropped where the machine is slower (default: the source's own, or as "
        "many as the machine segments)",
        float,
    ),
    Option("size", "WxH", "of the simulated camera or of a device", _size),
    Option("seed", "N", "of the simulated drive", int, 0),
    Option("model", "MODEL", "an ONNX file, or the name of a shipped model", str, DEFAULT_MODEL),
    Option("backend", "BACKEND", "what runs it", str, "auto", BACKENDS),
    Option("fastdds_profile", "PROFILE", DESCRIPTION, str, AUTO),
)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line of the demo."""
    parser = argparse.ArgumentParser(
        prog="python -m hyperseg_ros.demo",
        description="Segment a drive in a live ROS 2 graph and record what comes back.",
    )
    parser.add_argument("source", nargs="?", default=SIMULATED, help=SOURCE)
    for option in OPTIONS:
        parser.add_argument(
            option.flag,
            type=option.parse,
            default=option.default,
            choices=option.choices,
            metavar=None if option.choices else option.metavar,
            help=option.description,
        )
    parser.add_argument(
        "--view",
        action="store_true",
        help="show it in the browser too, until Ctrl-C unless --frames says otherwise",
    )
    options = parser.parse_args(arguments)
    if options.frames is None:
        options.frames = 0 if options.view else FRAMES
    return options
