"""What this machine can do at best: arithmetic and memory, measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from hyperseg_ros.runtime.backends.openvino import cpu_precisions
from hyperseg_ros.runtime.backends.silent_openvino import openvino, opset

_GEMM_SIDE = 2048
_COPY_BYTES = 2**28
_REPEATS = 9


def describe(threads: int) -> str:
    """One line: the CPU and how much of it is used."""
    core = openvino.Core()
    name = core.get_property("CPU", "FULL_DEVICE_NAME")
    capabilities = ", ".join(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return f"{name} ({capabilities}), {threads} threads"


def has_bf16() -> bool:
    """Whether there are instructions for bfloat16 to use."""
    return "bf16" in cpu_precisions()


def fastest_precision() -> str:
    """What the openvino backend takes by itself: `fp32` or `bf16`."""
    return cpu_precisions()[0]


def peak_gmacs(precision: str, threads: int) -> float:
    """Giga multiply-adds a second of a large matrix product, `f32` or `bf16`."""
    shape = [_GEMM_SIDE, _GEMM_SIDE]
    a, b = (opset.parameter(shape, np.float32, name=name) for name in "ab")
    model = openvino.Model([opset.matmul(a, b, False, False)], [a, b])
    request = compiled(model, precision, threads).create_infer_request()
    for index in range(2):
        data = np.random.default_rng(index).standard_normal(shape, np.float32)
        request.set_input_tensor(index, openvino.Tensor(data))
    return _GEMM_SIDE**3 / _seconds(request.infer) / 1e9


def copy_bandwidth(threads: int) -> float:
    """Gigabytes a second, read and written, of copying memory that no cache holds."""
    source = np.ones(_COPY_BYTES, np.uint8)
    target = np.empty_like(source)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        seconds = _seconds(lambda: list(pool.map(lambda pair: np.copyto(*pair), parts)))
    return 2 * _COPY_BYTES / seconds / 1e9


def compiled(model: Any, precision: str, threads: int, **properties: Any) -> Any:
    """A model compiled as the openvino backend does it."""
    return openvino.Core().compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision,
            **properties,
        },
    )


def _seconds(action: Callable[[], Any]) -> float:
    times = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)
