"""Times on a device: medians of single runs, by CUDA's events where there is a GPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def milliseconds(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """What a run takes, median; after as many to warm up, ten at most."""
    for _ in range(min(repeats, 10)):
        run()
    return statistics.median(_one(run, device) for _ in range(repeats))


def _one(run: Callable[[], object], device: torch.device) -> float:
    if device.type != "cuda":
        begin = time.perf_counter()
        run()
        return 1e3 * (time.perf_counter() - begin)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end)


def captured(run: Callable[[], object]) -> Callable[[], None]:
    """A run as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay
