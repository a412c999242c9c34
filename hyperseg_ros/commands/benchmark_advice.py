"""`hyperseg benchmark --advise`: every way to run a model, and a parameter file of the best."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from hyperseg_ros.benchmark import advice
from hyperseg_ros.commands.options import (
    add_camera_size_option,
    image_size,
    positive,
    shown_size,
)
from hyperseg_ros.files import write_text
from hyperseg_ros.runtime.model_file import find_model, shipped_models


def main(argv: Sequence[str]) -> int:
    """Measure models in every way, and write the parameter file of the best.

    Raises:
        ValueError: a model cannot be used, or none can be measured.
        OSError: the parameter file cannot be written; nothing was measured then.
    """
    options = _parse(argv)
    _check_writable(options.output)
    shipped = shipped_models()
    models = [find_model(name) for name in options.model or sorted(shipped)]
    folder = options.output.parent / f"{options.output.stem}_models"
    resized = []
    for made in advice.resized_models(models, options.input_sizes, folder):
        if isinstance(made, str):
            print(made, flush=True)
        else:
            resized.append(made)
    trials = _measure([*models, *resized], resized, options)
    if not trials:
        raise ValueError("no model could be measured: nothing here can run one")
    best = advice.choose(trials, options.rate)
    reason = (
        f"{best.milliseconds:.1f} ms per frame of {shown_size(options.size)}, "
        f"{1e3 / best.milliseconds:.1f} per second"
    )
    if best.milliseconds > 1e3 / options.rate:
        reason += f"; nothing measured keeps up with {options.rate:g}"
    is_shipped = shipped.get(best.model.stem) == best.model
    write_text(options.output, advice.parameter_file(best, is_shipped, reason))
    print(f"{best.model.stem} on {best.backend} in {best.precision}: {reason}")
    print(f"wrote {options.output}: ros2 launch ... params_file:={options.output.resolve()}")
    return 0


def _check_writable(output: Path) -> None:
    """Find out before minutes of measuring whether a file can be written after them."""
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.is_dir() or not os.access(output.parent, os.W_OK):
        raise OSError(f"{output} cannot be written: name another file with --output")


def _measure(
    models: Sequence[Path], resized: Collection[Path], options: argparse.Namespace
) -> list[advice.Trial]:
    """Measure the models in every way, and print a row for each."""
    dataset = advice.compared_on(models)
    print(
        f"images of {shown_size(options.size)}, {options.seconds} s, "
        f"wanted: {options.rate:g} frames/s"
    )
    print(
        f"{'model':32} {'input':>11} {'backend':12} {'precision':9} {'threads':>7} {'ms':>8} "
        f"{'/s':>6}  mIoU{f' on {dataset}' if dataset else ''}"
    )
    trials = []
    for found in advice.advise(models, options.size, options.seconds, resized):
        if isinstance(found, str):
            print(found, flush=True)
            continue
        trials.append(found)
        miou = "" if found.miou is None else f"{found.miou:.1%}"
        miou += "" if found.at_size else " at another size" if miou else "not known at this size"
        print(
            f"{found.model.stem:32} {shown_size(found.input_size):>11} {found.backend:12} "
            f"{found.precision:9} "
            f"{found.threads or 'auto':>7} {found.milliseconds:8.1f} "
            f"{1e3 / found.milliseconds:6.1f}  {miou}",
            flush=True,
        )
    return trials


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg benchmark --advise",
        description="Measure backends, precisions, threads and input sizes for each model on this "
        "machine, and write the node's parameter file for the best: the highest mIoU that keeps up "
        "with the rate, else the fastest.",
    )
    parser.add_argument("--advise", action="store_true", help="measure every way to run a model")
    parser.add_argument(
        "model", metavar="MODEL", nargs="*", help="model files or names; default: all shipped"
    )
    add_camera_size_option(parser)
    parser.add_argument(
        "--input-sizes",
        type=image_size,
        nargs="+",
        default=[],
        metavar="HxW",
        help="of the network's input, to try beside each model's own, as 384x640 for a camera of "
        "16:9; the model files are kept beside the parameter file",
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=10.0,
        metavar="HZ",
        help="frames per second to keep up with, of all cameras together; default: 10",
    )
    parser.add_argument(
        "--seconds", type=positive, default=100, metavar="S", help="to measure; default: 100"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("segment_advice.yaml"),
        metavar="FILE",
        help="the parameter file; default: segment_advice.yaml",
    )
    options = parser.parse_args(argv)
    if not options.rate > 0:
        parser.error(f"--rate must be above 0, not {options.rate}")
    return options
