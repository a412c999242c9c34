"""`hyperseg segment`: labels of images and videos as files, of recordings as bags."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.commands.options import add_hardware_options
from hyperseg_ros.commands.recording_options import add_recording_options
from hyperseg_ros.recordings.places import is_recording, place
from hyperseg_ros.runtime.backends import BACKENDS, EngineOptions
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, shipped_models
from hyperseg_ros.runtime.segment_files import FileSegmenter, find_inputs
from hyperseg_ros.runtime.segmenter import Segmenter


def main(argv: Sequence[str]) -> int:
    """Run the command; of several inputs those that cannot be used are told and passed over.

    Returns:
        0; 1 if a recording is incomplete; 2 if some of several files could not be used.

    Raises:
        ValueError: the model, or the only input, cannot be used.
        OSError: a result cannot be written.
    """
    parser = _parser()
    options = parser.parse_intermixed_args(argv)
    model, words = _split(options.words)
    inputs = [place(word) for word in words]
    if not inputs:
        parser.error("no image, video or recording to segment")
    recordings = [path for path in inputs if is_recording(path)]
    if not recordings:
        return _segment_files(model, inputs, options)
    if len(recordings) < len(inputs):
        other = next(path for path in inputs if path not in recordings)
        raise ValueError(f"{recordings[0]} is a recording, {other} is not: segment them apart")
    if options.output is None:
        parser.error("--output BAG is needed for recordings")
    from hyperseg_ros.commands.segment_recordings import segment_recordings

    return segment_recordings(model, recordings, place(options.output), options)


def _split(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The model and the inputs; the model may be left out."""
    first = words[0]
    named = first.endswith(".onnx") or first in shipped_models()
    if named or (len(words) > 1 and not place(first).exists()):
        return first, words[1:]
    return DEFAULT_MODEL, words


def _segment_files(model: str, paths: Sequence[Path], options: argparse.Namespace) -> int:
    output = Path(options.output or "")
    inputs = find_inputs(paths, output)
    failed = 0
    with Segmenter.open(
        model,
        options.backend,
        threads=options.threads,
        precision=options.precision,
        engines=EngineOptions(device=options.device),
    ) as segmenter:
        files = FileSegmenter(segmenter, output, options.opacity)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hyperseg segment",
        usage="hyperseg segment [MODEL] INPUT [INPUT ...] [--output PLACE] [options]",
        description="Segment images, videos and recordings. An image NAME gives NAME_label.png "
        "(class ids, one byte per pixel) and NAME_overlay.png, a video NAME_overlay.mp4, and a "
        "recording a bag with the topics that the node would have published.",
    )
    parser.add_argument(
        "words",
        metavar="[MODEL] INPUT",
        nargs="+",
        help="model file or name of a shipped model, default: the shipped default; then images, "
        "videos, folders of images, or recordings: rosbag2 (mcap, sqlite3) and ROS 1 bags",
    )
    parser.add_argument(
        "--output",
        metavar="PLACE",
        help="of files: the folder for the results, default: the current one; of a recording: the "
        "bag; of several: the folder for their bags",
    )
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="default: auto")
    add_hardware_options(parser)
    parser.add_argument(
        "--opacity", type=_fraction, default=0.5, help="of the overlay, 0 to 1; default: 0.5"
    )
    add_recording_options(parser)
    return parser


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value
