"""Latency, frame rate and memory of a model on a backend."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from hyperseg_ros.benchmark.peak_memory import peak_memory_mb
from hyperseg_ros.runtime.backends import EngineOptions
from hyperseg_ros.runtime.segmenter import Segmentation, Segmenter

WARM_UP_FRAMES = 10


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
    reason: str = ""
    """Why this backend and precision, as `Segmenter` says."""


def measure_apart(
    path: Path,
    backend: str,
    size: tuple[int, int],
    frames: int,
    threads: int = 0,
    precision: str = "auto",
    device: str = "auto",
) -> Measurement:
    """`measure` in a process of its own, so that one backend's memory does not count for another.

    Args:
        path, backend, size, frames, threads, precision, device: as `measure` takes them.
    """
    arguments = (path, backend, size, frames, threads, precision, device)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(measure, *arguments).result()


def measure(
    path: Path,
    backend: str,
    size: tuple[int, int],
    frames: int,
    threads: int = 0,
    precision: str = "auto",
    device: str = "auto",
) -> Measurement:
    """Segment noise images one after the other in this process.

    Args:
        path: a model file.
        backend, threads, precision: as `Segmenter` takes them.
        size: height and width of the images.
        frames: images to measure, after some to warm up.
        device: as `EngineOptions` takes it.
    """
    height, width = size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    engines = EngineOptions(device=device)
    with Segmenter.open(path, backend, threads, precision, engines) as segmenter:
        for _ in range(WARM_UP_FRAMES):
            segmenter(image)
        begin = time.perf_counter()
        times = [_times(segmenter(image)) for _ in range(frames)]
        elapsed = time.perf_counter() - begin
        preprocess, inference, postprocess = zip(*times)
        return Measurement(
            backend=segmenter.backend_name,
            precision=segmenter.precision,
            device=segmenter.device,
            preprocess_ms=_percentiles(preprocess),
            inference_ms=_percentiles(inference),
            postprocess_ms=_percentiles(postprocess),
            frames_per_second=frames / elapsed,
            peak_memory_mb=peak_memory_mb(),
            reason=segmenter.reason,
        )


def _times(result: Segmentation) -> tuple[float, float, float]:
    return result.preprocess_ms, result.inference_ms, result.postprocess_ms


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    median, p95 = np.percentile(values, [50, 95])
    return float(median), float(p95)
