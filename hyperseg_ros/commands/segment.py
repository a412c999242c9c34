"""`hyperseg segment`: label images and overlays of image and video files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.commands.options import add_hardware_options
from hyperseg_ros.runtime.backends import BACKENDS
from hyperseg_ros.runtime.segment_files import FileSegmenter
from hyperseg_ros.runtime.segmenter import Segmenter


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Raises:
        ValueError: the model or an input cannot be used.
    """
    options = _parse(argv)
    inputs: list[Path] = options.inputs
    _check_inputs(inputs)
    options.output.mkdir(parents=True, exist_ok=True)
    with Segmenter.open(
        options.model, options.backend, threads=options.threads, precision=options.precision
    ) as segmenter:
        files = FileSegmenter(segmenter, options.output, options.opacity)
        for path in inputs:
            for written in files.segment(path):
                print(written)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg segment",
        description="Segment images and videos. An image NAME gives NAME_label.png (class ids, one "
        "byte a pixel) and NAME_overlay.png; a video gives NAME_overlay.mp4.",
    )
    parser.add_argument("model", metavar="MODEL", help="model file, or name of a shipped model")
    parser.add_argument("inputs", metavar="FILE", nargs="+", type=Path, help="image or video")
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


def _check_inputs(inputs: list[Path]) -> None:
    stems: dict[str, Path] = {}
    for path in inputs:
        if not path.is_file():
            raise ValueError(f"there is no file {path}")
        other = stems.setdefault(path.stem, path)
        if other != path:
            raise ValueError(f"{other} and {path} would write the same files; segment them apart")
