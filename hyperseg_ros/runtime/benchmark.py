"""`hyperseg benchmark`: latency, frame rate and memory of a model on one or more backends."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from hyperseg_ros.runtime.backends import BACKENDS, choose_backend
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, read_card
from hyperseg_ros.runtime.options import add_hardware_options, image_size, positive
from hyperseg_ros.runtime.segmenter import Segmenter

_WARM_UP_FRAMES = 10


@dataclass(frozen=True)
class Measurement:
    """A model on a backend; each latency is its median and 95th percentile in ms."""

    backend: str
    precision: str
    device: str
    preprocess_ms: tuple[float, float]
    inference_ms: tuple[float, float]
    postprocess_ms: tuple[float, float]
    frames_per_second: float
    peak_memory_mb: float
    """Largest resident memory of the process so far, Python and libraries included."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Raises:
        ValueError: the model or a backend cannot be used.
    """
    options = _parse(argv)
    path = find_model(options.model)
    card = read_card(path)
    backends = [choose_backend(name).name for name in options.backend]
    print(f"model   {card.name} ({card.variant}), {path.stat().st_size / 1e6:.1f} MB")
    print(f"input   {_size(card.input_size)}, from images of {_size(options.size)}")
    print(f"frames  {options.frames}, after {_WARM_UP_FRAMES} to warm up")
    print()
    print(_HEADER)
    for backend in dict.fromkeys(backends):
        # A process each, or one backend's memory would count for the next.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
            measurement = processes.submit(
                measure,
                path,
                backend,
                options.size,
                options.frames,
                options.threads,
                options.precision,
            ).result()
        print(_row(measurement), flush=True)
    return 0


def measure(
    path: Path,
    backend: str,
    size: tuple[int, int],
    frames: int,
    threads: int = 0,
    precision: str = "auto",
) -> Measurement:
    """Segment noise images one after the other in this process.

    Args:
        path: a model file.
        backend, threads, precision: as `Segmenter` takes them.
        size: height and width of the images.
        frames: images to measure, after some to warm up.
    """
    height, width = size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    with Segmenter(path, backend, threads=threads, precision=precision) as segmenter:
        for _ in range(_WARM_UP_FRAMES):
            segmenter(image)
        begin = time.perf_counter()
        results = [segmenter(image) for _ in range(frames)]
        elapsed = time.perf_counter() - begin
        return Measurement(
            backend=segmenter.backend_name,
            precision=segmenter.precision,
            device=segmenter.device,
            preprocess_ms=_percentiles([result.preprocess_ms for result in results]),
            inference_ms=_percentiles([result.inference_ms for result in results]),
            postprocess_ms=_percentiles([result.postprocess_ms for result in results]),
            frames_per_second=frames / elapsed,
            peak_memory_mb=_peak_memory_mb(),
        )


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
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


def _percentiles(values: list[float]) -> tuple[float, float]:
    median, p95 = np.percentile(values, [50, 95])
    return float(median), float(p95)


def _peak_memory_mb() -> float:
    # Not getrusage: its maximum survives exec, so a child would report its parent's.
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else float("nan")
