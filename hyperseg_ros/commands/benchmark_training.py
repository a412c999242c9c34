"""`hyperseg benchmark --train`: the time of a training step."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.commands.options import image_size, positive, shown_size

_TRAINED = "hyperseg-s-camvid"
"""The network whose training is measured where none is named."""


def main(argv: Sequence[str]) -> int:
    """Measure training steps of networks in turn, and print a row for each.

    Raises:
        ModuleNotFoundError: PyTorch is not installed.
    """
    options = _parse(argv)
    from hyperseg_ros.benchmark import training
    from hyperseg_ros.training.precision import choose_precision

    precisions = options.precision
    if not precisions:
        precisions = [training.native_precision()]
        print(f"precision {precisions[0]}: {choose_precision().reason}")
    print(f"batch {options.batch} of {shown_size(options.size)}, {options.steps} steps")
    print(f"{'network':32} {'':5} {'s/step':>8} {'images/s':>9} {'decoder %':>10} {'peak MB':>8}")
    for precision in precisions:
        runs = [(name, False, True) for name in options.variant]
        if options.official:
            runs += [("the published code", True, False)]
            runs += [("the same, memory kept", True, True)]
        for name, official, keep_memory in runs:
            found = training.measure_apart(
                {
                    "name": name,
                    "batch": options.batch,
                    "size": options.size,
                    "steps": options.steps,
                    "precision": precision,
                    "official": official,
                    "keep_memory": keep_memory,
                },
                options.official if official else [],
            )
            share = f"{100 * found.decoder_share:10.1f}" if not official else f"{'':10}"
            print(
                f"{name:32} {precision:5} {found.seconds:8.3f} "
                f"{options.batch / found.seconds:9.2f} {share} {found.peak_memory_mb:8.0f}  "
                f"{found.device}",
                flush=True,
            )
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg benchmark --train",
        description="Measure training steps on noise: images per second, the decoder's share of "
        "the time, peak memory. Needs PyTorch.",
    )
    parser.add_argument("--train", action="store_true", help="measure training steps")
    parser.add_argument(
        "variant", nargs="*", default=[_TRAINED], help=f"network of the zoo; default: {_TRAINED}"
    )
    parser.add_argument("--batch", type=positive, default=2, metavar="N", help="default: 2")
    parser.add_argument(
        "--size",
        type=image_size,
        default=(576, 576),
        metavar="HxW",
        help="height and width of the images; default: 576x576",
    )
    parser.add_argument("--steps", type=positive, default=5, metavar="N", help="default: 5")
    parser.add_argument(
        "--precision",
        choices=("bf16", "fp16", "fp32"),
        nargs="+",
        help="one or more; default: bf16 where the hardware has it, else what it is fastest in",
    )
    parser.add_argument(
        "--official",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="a checkout of the published code, and folders with what it imports, to measure its "
        "HyperSeg-S CamVid in turn",
    )
    return parser.parse_args(argv)
