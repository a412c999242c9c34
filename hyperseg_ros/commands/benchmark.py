"""`hyperseg benchmark`: a model's inference, with --node the node, with --train a training step."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from hyperseg_ros.benchmark.inference import WARM_UP_FRAMES, Measurement, measure_apart
from hyperseg_ros.commands.options import add_hardware_options, image_size, positive
from hyperseg_ros.runtime.backends import BACKENDS, choose_backend
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, read_card

_VARIANTS = {
    "--node": "hyperseg_ros.node.benchmark",
    "--train": "hyperseg_ros.training.benchmark",
}
"""What else can be measured, and the module whose `main` does; each needs other libraries."""


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Raises:
        ValueError: the model or a backend cannot be used.
    """
    for option, module in _VARIANTS.items():
        if option in argv:
            return int(importlib.import_module(module).main(argv))
    options = _parse(argv)
    path = find_model(options.model)
    card = read_card(path)
    backends = [choose_backend(name).name for name in options.backend]
    print(f"model   {card.name} ({card.variant}), {path.stat().st_size / 1e6:.1f} MB")
    print(f"input   {_size(card.input_size)}, from images of {_size(options.size)}")
    print(f"frames  {options.frames}, after {WARM_UP_FRAMES} to warm up")
    print()
    print(_HEADER)
    for backend in dict.fromkeys(backends):
        measurement = measure_apart(
            path, backend, options.size, options.frames, options.threads, options.precision
        )
        print(_row(measurement), flush=True)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg benchmark",
        description="Measure a model on this machine: median and 95th percentile of the time for "
        "each step, frames a second, and peak memory. Several backends are measured in turn.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        default=DEFAULT_MODEL,
        help=f"model file, or name of a shipped model; default: {DEFAULT_MODEL}",
    )
    parser.add_argument(
        "--backend",
        nargs="+",
        choices=BACKENDS,
        default=["auto"],
        metavar="NAME",
        help=f"one or more of {', '.join(BACKENDS)}; default: auto",
    )
    parser.add_argument(
        "--size",
        type=image_size,
        default=(480, 640),
        metavar="HxW",
        help="camera images in pixels; default: 480x640",
    )
    parser.add_argument("--frames", type=positive, default=100, metavar="N", help="default: 100")
    add_hardware_options(parser)
    return parser.parse_args(argv)


_HEADER = (
    f"{'':12} {'':9} {'pre-process ms':>15} {'inference ms':>15} {'post-process ms':>15} "
    f"{'frames':>8} {'peak':>8}\n"
    f"{'backend':12} {'precision':9} {'median    p95':>15} {'median    p95':>15} "
    f"{'median    p95':>15} {'/s':>8} {'MB':>8}  device"
)


def _row(measurement: Measurement) -> str:
    latencies = (
        measurement.preprocess_ms,
        measurement.inference_ms,
        measurement.postprocess_ms,
    )
    return (
        f"{measurement.backend:12} {measurement.precision:9} "
        + " ".join(f"{median:8.2f}{p95:7.2f}" for median, p95 in latencies)
        + f" {measurement.frames_per_second:8.1f} {measurement.peak_memory_mb:8.0f}"
        + f"  {measurement.device}"
    )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
