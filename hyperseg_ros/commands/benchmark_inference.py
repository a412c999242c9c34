"""`hyperseg benchmark`: the time of each step of a model's inference."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hyperseg_ros.benchmark.inference import WARM_UP_FRAMES, Measurement, measure_apart
from hyperseg_ros.commands.options import (
    add_camera_size_option,
    add_hardware_options,
    positive,
    shown_size,
)
from hyperseg_ros.runtime.backends import BACKENDS, choose_backend
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, read_card

_HEADER = (
    f"{'':12} {'':9} {'pre-process ms':>15} {'inference ms':>15} {'post-process ms':>15} "
    f"{'frames':>8} {'peak':>8}\n"
    f"{'backend':12} {'precision':9} {'median    p95':>15} {'median    p95':>15} "
    f"{'median    p95':>15} {'/s':>8} {'MB':>8}  device"
)


def main(argv: Sequence[str]) -> int:
    """Measure a model with each of the backends, and print a row for each.

    Raises:
        ValueError: the model or a backend cannot be used.
    """
    options = _parse(argv)
    path = find_model(options.model)
    card = read_card(path)
    backends = [choose_backend(name).name for name in options.backend]
    print(f"model   {card.name} ({card.variant}), {path.stat().st_size / 1e6:.1f} MB")
    print(f"input   {shown_size(card.input_size)}, from images of {shown_size(options.size)}")
    print(f"frames  {options.frames}, after {WARM_UP_FRAMES} to warm up")
    print()
    print(_HEADER)
    reasons = [f"auto: {choose_backend('auto').reason}"] if "auto" in options.backend else []
    for backend in dict.fromkeys(backends):
        measurement = measure_apart(
            path,
            backend,
            options.size,
            options.frames,
            options.threads,
            options.precision,
            options.device,
        )
        print(_row(measurement), flush=True)
        reasons.append(f"{measurement.backend}: {measurement.reason}")
    print("", *reasons, sep="\n")
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg benchmark",
        description="Measure a model on this machine: median and 95th percentile of the time for "
        "each step, frames per second, and peak memory. Several backends are measured in turn. "
        "--node measures the node under load, --train training steps, --advise every way to run a "
        "model here: see their own --help, as in `hyperseg benchmark --advise --help`.",
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
    add_camera_size_option(parser)
    parser.add_argument("--frames", type=positive, default=100, metavar="N", help="default: 100")
    add_hardware_options(parser)
    return parser.parse_args(argv)


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
