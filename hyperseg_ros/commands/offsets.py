"""`hyperseg offsets`: a checkpoint with the class offsets of highest mIoU in its last bias."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros import network
from hyperseg_ros.classes import ClassTable
from hyperseg_ros.runtime.model_file import find_model, read_card
from hyperseg_ros.runtime.trained_on import with_earlier
from hyperseg_ros.training.average import OF_ONE_RUN
from hyperseg_ros.training.class_offsets import (
    Pixels,
    add_offsets,
    as_deployed,
    fit_offsets,
    miou,
    see,
)
from hyperseg_ros.training.config_file import find_config, load_config
from hyperseg_ros.training.loaders import training_loader
from hyperseg_ros.training.sources import load_data
from hyperseg_ros.training.starting_network import trained_network

_BATCHES = 100
"""Most batches that offsets are fitted on."""


def main(argv: Sequence[str]) -> int:
    """Fit the offsets, and print them and where the result is.

    Raises:
        ValueError: the checkpoint, the configuration or the data cannot be used.
        OSError: the result cannot be written.
    """
    options = _parse(argv)
    config = load_config(find_config(options.config), ["data.val=", *options.overrides])
    config = as_deployed(config)
    training, _ = load_data(config)
    model, origin = trained_network("CHECKPOINT", options.checkpoint, config, training)
    data, classes = config.data, training[0].classes
    held = [*classes.ground_ids, *map(classes.index, options.hold)]
    batches = islice(training_loader(config, training), _BATCHES)
    per_batch = [data.batch_size - data.simulated_per_batch, data.simulated_per_batch]
    sources = see(model, batches, per_batch[: len(training)], config.seed)
    if not sources:
        raise ValueError("no image has a labelled pixel: there is nothing to fit offsets on")
    offsets = fit_offsets(sources, held)
    for line in _report(sources, offsets, classes):
        print(line)
    add_offsets(model, offsets)
    names = " + ".join(images.name for images in training)
    how = f"class offsets fitted on images of {names}, seed {config.seed}"
    info = {
        **_known(options.checkpoint),
        **classes.to_info(),
        "training": f"{how}, to: {origin.text}",
        "dataset": with_earlier(origin.trained_on, names),
    }
    command = " ".join(["hyperseg offsets", *(["--hold", *options.hold] if options.hold else [])])
    info["command"] = "; ".join(filter(None, [info.get("command", ""), command]))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    network.save_checkpoint(options.output, model, **info)
    print(f"saved {options.output}")
    return 0


def _known(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint or model file says of itself that stays true."""
    if checkpoint.suffix in (".pt", ".pth"):
        _, info = network.load_checkpoint(checkpoint)
        return {key: value for key, value in info.items() if key not in OF_ONE_RUN}
    card = read_card(find_model(checkpoint))
    return {
        "command": card.command,
        "input_size": list(card.input_size),
        "terms": card.terms,
    }


def _report(
    sources: Sequence[Pixels], offsets: NDArray[np.float32], classes: ClassTable
) -> list[str]:
    """The offsets, and mIoU on the images without and with them, in percent."""
    width = max(map(len, classes.names))
    lines = [f"{name:<{width}}  {value:5.2f}" for name, value in zip(classes.names, offsets)]
    before, after = (
        np.mean([miou(pixels, values) for pixels in sources])
        for values in (np.zeros_like(offsets), offsets)
    )
    return [*lines, f"mIoU on the training images: {100 * before:.1f}, now {100 * after:.1f}"]


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg offsets",
        description="Write a checkpoint whose mIoU is higher at no cost: a constant is added to "
        "each class's scores, fitted on training images. Ground stays as it is: nothing that "
        "stands on it becomes ground. Measure both with `hyperseg evaluate`.",
    )
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT|MODEL",
        help="a checkpoint, a model file or a shipped model's name",
    )
    parser.add_argument(
        "config", metavar="CONFIG", help="the run's configuration, as `hyperseg train` takes it"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="as of `hyperseg train`: data.root=FOLDER"
    )
    parser.add_argument(
        "--hold",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="classes whose scores stay as they are, as those of ground do: where raising a class "
        "takes free space, as car may beneath vehicles",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    return parser.parse_intermixed_args(argv)
