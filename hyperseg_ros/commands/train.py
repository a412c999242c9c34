"""`hyperseg train`: a configuration in, a trained checkpoint out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.runtime.memory import LARGEST_TENSOR, keep_freed_memory
from hyperseg_ros.training.config_file import find_config, load_config
from hyperseg_ros.training.train import train

_PLACES = ("data.root", "output", "start_from", "encoder_weights")
"""Keys that say where things are on this machine: kept out of the checkpoint."""


def main(argv: Sequence[str]) -> int:
    """Train, and print where the result is.

    Raises:
        ValueError: the configuration or the data cannot be used, or the run diverged.
        OSError: the result cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="hyperseg train",
        description="Train a network and save the moving average of its weights.",
    )
    parser.add_argument(
        "config", metavar="CONFIG", help="YAML file of the run, or the name of a published one"
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="replaces a value of the file, as data.root=FOLDER or schedule.epochs=2",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the run's last checkpoint"
    )
    options = parser.parse_intermixed_args(argv)
    config = load_config(find_config(options.config), options.overrides)
    shown = [text for text in options.overrides if not text.startswith(_PLACES)]
    command = " ".join(["hyperseg train", Path(options.config).name, *shown])
    keep_freed_memory(LARGEST_TENSOR)
    train(config, options.resume, command)
    return 0
