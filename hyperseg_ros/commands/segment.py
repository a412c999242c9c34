"""`hyperseg segment`: label images and overlays of image and video files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.commands.options import add_hardware_options
from hyperseg_ros.runtime.backends import BACKENDS
from hyperseg_ros.runtime.segment_files import FileSegmenter, find_inputs
from hyperseg_ros.runtime.segmenter import Segmenter


def main(argv: Sequence[str]) -> int:
    """Run the command; of several inputs those that cannot be used are told and passed over.

    Returns:
        0, or 2 if some of several inputs could not be used.

    Raises:
        ValueError: the model, or the only input, cannot be used.
        OSError: a result cannot be written.
    """
    options = _parse(argv)
    inputs = find_inputs(options.inputs, options.output)
    with Segmenter.open(
        options.model, options.backend, threads=options.threads, precision=options.precision
    ) as segmenter:
        files = FileSegmenter(segmenter, options.output, options.opacity)
        failed = 0
        for path in inputs:
            try:
                for written in files.segment(path):
                    print(written, flush=True)
            except ValueError as error:
                if len(inputs) == 1:
                    raise
                print(f"hyperseg segment: error: {error}", file=sys.stderr)
                failed += 1
    return 2 if failed else 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg segment",
        description="Segment images and videos. An image NAME gives NAME_label.png (class ids, one "
        "byte per pixel) and NAME_overlay.png; a video gives NAME_overlay.mp4.",
    )
    parser.add_argument("model", metavar="MODEL", help="model file, or name of a shipped model")
    parser.add_argument(
        "inputs", metavar="FILE", nargs="+", type=Path, help="image, video, or folder of images"
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=Path(),
        help="folder for the results; default: the current one",
    )
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="default: auto")
    add_hardware_options(parser)
    parser.add_argument(
        "--opacity", type=_fraction, default=0.5, help="of the overlay, 0 to 1; default: 0.5"
    )
    return parser.parse_args(argv)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value
