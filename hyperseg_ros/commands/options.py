"""Command-line options and types of arguments that several commands share."""

from __future__ import annotations

import argparse

from hyperseg_ros.runtime.backends import DEVICES, PRECISIONS


def add_hardware_options(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`, `--precision` and `--device`."""
    parser.add_argument(
        "--threads",
        type=int,
        default=0,
        metavar="N",
        help="CPU threads; 0, the default: the backend's own choice",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="arithmetic; auto, the default: the fastest native to the hardware",
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="auto, the default: a GPU where there is one; cpu; or, for OpenVINO, Intel's gpu, npu",
    )


def add_camera_size_option(parser: argparse.ArgumentParser) -> None:
    """Add `--size`, of the camera's images."""
    parser.add_argument(
        "--size",
        type=image_size,
        default=(480, 640),
        metavar="HxW",
        help="height and width of the camera images; default: 480x640",
    )


def image_size(text: str) -> tuple[int, int]:
    """Height and width from an argument like `480x640`."""
    height, separator, width = text.lower().partition("x")
    if not (separator and height.isdecimal() and width.isdecimal() and int(height) * int(width)):
        raise argparse.ArgumentTypeError(f"{text!r} is not HEIGHTxWIDTH in pixels, such as 480x640")
    return int(height), int(width)


def positive(text: str) -> int:
    """A positive integer, from an argument."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def shown_size(size: tuple[int, int]) -> str:
    """A height and a width for people."""
    return f"{size[0]} x {size[1]}"
