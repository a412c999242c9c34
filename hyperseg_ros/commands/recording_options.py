"""The options that `hyperseg segment` has for recordings. Needs no library that reads them."""

from __future__ import annotations

import argparse
from pathlib import Path

from hyperseg_ros.frames.ground_settings import GROUND_FRAME, mount
from hyperseg_ros.frames.region import Region
from hyperseg_ros.frames.topics import DEFAULT
from hyperseg_ros.recordings.plan import (
    COMPRESSIONS,
    DEFAULT_OUTPUTS,
    OUTPUTS,
    PART_SECONDS,
    STORAGES,
)


def add_recording_options(parser: argparse.ArgumentParser) -> None:
    """The options that only recordings have."""
    _add_contents(parser.add_argument_group("recordings (rosbag2, ROS 1): what the bag holds"))
    _add_free_space(parser.add_argument_group("recordings: free space"))
    _add_work(parser.add_argument_group("recordings: how the work is done"))


def _add_contents(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--topics",
        nargs="+",
        default=[],
        metavar="TOPIC",
        help="image topics; default: all but those of depth and labels",
    )
    group.add_argument(
        "--outputs",
        nargs="+",
        choices=OUTPUTS,
        default=list(DEFAULT_OUTPUTS),
        metavar="OUTPUT",
        help=f"what the bag holds, of {', '.join(OUTPUTS)}; default: {' '.join(DEFAULT_OUTPUTS)}",
    )
    group.add_argument(
        "--masks",
        nargs="+",
        default=["*"],
        metavar="CLASS",
        help="classes with a mask topic, for --outputs mask; default: all",
    )
    group.add_argument(
        "--region",
        action="append",
        type=_region,
        default=[],
        metavar="[TOPIC=]X,Y,WIDTH,HEIGHT",
        help="the part of the images of a camera, or of every camera, that the network sees, in "
        "pixels, as the node's parameter regions_of_interest; 0 is the rest of the width or height",
    )
    group.add_argument("--merge", action="store_true", help="copy the original topics too")
    group.add_argument(
        "--video",
        action="store_true",
        help="also write an overlay video of each camera into the bag's folder",
    )
    group.add_argument(
        "--storage", choices=STORAGES, default="mcap", help="of the bag; default: mcap"
    )
    group.add_argument(
        "--compression",
        choices=COMPRESSIONS,
        help="of the chunks in an mcap bag; rosbag2, rviz and Foxglove undo it by themselves; "
        "default: zstd, a tenth of the bytes; sqlite3 has none",
    )


def _add_free_space(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mount",
        action="append",
        type=_mount,
        default=[],
        metavar="[TOPIC=]X,Y,Z,ROLL,PITCH,YAW",
        help="adds free_space: where the camera of an image topic, or every camera, is in the "
        "ground frame, as the node's parameter mount: metres and radians of its body, a positive "
        "pitch looks down; default: what /tf_static says, if --outputs names free_space",
    )
    group.add_argument(
        "--body-mask",
        action="append",
        type=_body_mask,
        default=[],
        metavar="[TOPIC=]IMAGE",
        help="an image file, not black where a camera, or every camera, sees the robot itself: no "
        "obstacle, as the node's parameter body_masks",
    )
    group.add_argument(
        "--ground-classes",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="classes that are ground for free_space; default: those of the model's card",
    )
    group.add_argument(
        "--ground-frame",
        default=GROUND_FRAME,
        metavar="FRAME",
        help=f"of free_space: z = 0 is the ground; default: {GROUND_FRAME}",
    )


def _add_work(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--resume", action="store_true", help="go on with a run that was interrupted"
    )
    group.add_argument(
        "--part",
        type=float,
        default=PART_SECONDS,
        metavar="SECONDS",
        help=f"length of the parts that recordings are done in; default: {PART_SECONDS}",
    )
    group.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes that share the parts, by Ray"
    )
    group.add_argument(
        "--ray", default="", metavar="ADDRESS", help="share the parts over this Ray cluster"
    )


def _mount(text: str) -> tuple[str, tuple[float, ...]]:
    """Image topic, or `DEFAULT`, and the six numbers of `[TOPIC=]X,Y,Z,ROLL,PITCH,YAW`."""
    topic, _, listed = text.rpartition("=")
    try:
        numbers = tuple(float(word) for word in listed.split(","))
    except ValueError:
        numbers = ()
    try:
        mount(numbers)
    except ValueError as error:
        reason = error if len(numbers) == 6 else "it must be six numbers, in metres and radians"
        raise argparse.ArgumentTypeError(f"{text!r}: {reason}") from None
    return topic or DEFAULT, numbers


def _region(text: str) -> tuple[str, tuple[int, ...]]:
    """Image topic, or `DEFAULT`, and the four numbers of `[TOPIC=]X,Y,WIDTH,HEIGHT`."""
    topic, _, listed = text.rpartition("=")
    words = listed.split(",")
    if not all(word.strip().lstrip("-").isdecimal() for word in words):
        raise argparse.ArgumentTypeError(f"{text!r}: it must be four whole numbers of pixels")
    numbers = tuple(map(int, words))
    try:
        Region.of(numbers)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    return topic or DEFAULT, numbers


def _body_mask(text: str) -> tuple[str, str]:
    """Image topic, or `DEFAULT`, and the file of `[TOPIC=]IMAGE`."""
    topic, _, file = text.rpartition("=")
    return topic or DEFAULT, str(Path(file).absolute())  # workers run in other folders
