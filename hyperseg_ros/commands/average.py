"""`hyperseg average`: one network from several runs, the mean of their weights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros import network
from hyperseg_ros.training.average import average


def main(argv: Sequence[str]) -> int:
    """Average, and print where the result is.

    Raises:
        ValueError: a file is no checkpoint, or they do not fit each other.
        OSError: the result cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="hyperseg average",
        description="Write a checkpoint with the mean of the weights of several. They must come "
        "from runs that started from the same weights. Measure it with `hyperseg evaluate`.",
    )
    parser.add_argument("checkpoint", nargs="+", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(argv)
    if len(options.checkpoint) < 2:
        parser.error("give two checkpoints or more")
    model, info = average(options.checkpoint)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    network.save_checkpoint(options.output, model, **info)
    print(f"saved {options.output}, the mean of {len(options.checkpoint)} checkpoints")
    return 0
