"""`hyperseg select`: the frames of recordings that are worth labelling, as a data set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.commands.options import add_hardware_options, positive
from hyperseg_ros.recordings.cameras import tell_left_out
from hyperseg_ros.recordings.harvest import ORIGINS, SHEET, Harvest, write_dataset
from hyperseg_ros.recordings.places import place
from hyperseg_ros.recordings.reading import Recording
from hyperseg_ros.runtime.backends import BACKENDS, EngineOptions
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL
from hyperseg_ros.runtime.segmenter import Segmenter


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Returns:
        0; 1 where a recording is damaged or fewer frames than asked for could be selected.

    Raises:
        ValueError: the model or a recording cannot be used, or the output is not empty.
        OSError: a file cannot be written.
    """
    options = _parse(argv)
    output: Path = options.output
    if output.exists() and any(output.iterdir()):
        raise ValueError(f"{output} is not empty: name another output")
    damaged = []
    with Segmenter.open(
        options.model,
        options.backend,
        threads=options.threads,
        precision=options.precision,
        engines=EngineOptions(device=options.device),
    ) as segmenter:
        harvest = Harvest(segmenter, options.interval)
        for number, source in enumerate(options.recordings):
            with Recording(source) as recording:
                harvest.search(number, recording, options.topics)
                if recording.damage:
                    damaged.append(f"{source} is incomplete: {recording.damage}")
            print(f"{source}: {harvest.candidates} frames to choose from so far")
        selected = harvest.choose(options.count, options.apart)
        write_dataset(output, selected, segmenter)
    if harvest.left_out:
        print(tell_left_out(harvest.left_out))
    for line in damaged:
        print(line)
    if harvest.bad:
        print(f"{harvest.bad} images could not be read")
    print(f"{len(selected)} frames in {output}: look at {SHEET}; {ORIGINS} says where from")
    if len(selected) < options.count:
        print(f"{options.count} were asked for: lower --apart or --interval, or add recordings")
    return 1 if damaged or len(selected) < options.count else 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg select",
        description="Choose the frames of recordings whose labels would teach a model most: those "
        "where it is unsure or its labels flicker, and those with rare classes; apart in time and "
        "look. Writes a data set of the kind `folder`, with the model's labels for people to "
        "correct.",
    )
    parser.add_argument("recordings", metavar="BAG", nargs="+", type=place, help="rosbag2 or ROS 1")
    parser.add_argument("--count", type=positive, default=200, metavar="N", help="default: 200")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="of the data set"
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="MODEL", help="default: shipped")
    parser.add_argument(
        "--topics",
        nargs="+",
        default=[],
        metavar="TOPIC",
        help="image topics; default: all but those of depth and labels",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=0.5,
        metavar="SECONDS",
        help="between two frames that are looked at; default: 0.5",
    )
    parser.add_argument(
        "--apart",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="least time between two selected frames of a camera; default: 1",
    )
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="default: auto")
    add_hardware_options(parser)
    return parser.parse_args(argv)
