#!/usr/bin/env python3
"""How far from this machine's limits each part of the network is, on OpenVINO.

    tools/train benchmarks/limits.py [MODEL_FILE_OR_NAME] [--precision fp32|bf16]

Against two measured limits: multiply-adds per second of a large matrix product, and bytes per
second of copying memory. Bytes are what the executed operators read and write, each tensor counted
whenever it is touched; a part above 100 % of the copy rate finds its tensors in caches.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from machine import compiled, copy_bandwidth, describe, peak_gmacs

from hyperseg_ros.runtime.backends.silent_openvino import openvino
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, read_card
from hyperseg_ros.simulation import StreetCamera

_WARM_UP = 4
_PARTS = (
    (r"encoder\.", "encoder"),
    (r"context_head\.", "context head"),
    (r"weight_mapper", "weight mapping"),
    (r"decoder\.levels\.(\d+)", "meta block {}"),
    (r"decoder/", "decoder: upsampling, concatenation"),
)
_INPUT, _OUTPUT = "pixels in", "upsampling, softmax, argmax"


@dataclass
class Part:
    """What is known of one part of the network."""

    macs: int = 0
    bytes: int = 0
    milliseconds: list[float] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?", default=DEFAULT_MODEL)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--frames", type=int, default=15)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(argv)

    path = find_model(options.model)
    precision = options.precision.replace("fp32", "f32")
    peak, bandwidth = peak_gmacs(precision, options.threads), copy_bandwidth(options.threads)
    parts = counted(onnx.load(path))
    _measure(parts, path, precision, options)

    print(describe(options.threads))
    print(f"{read_card(path).name} in {options.precision}; matrix product {peak:.0f} GMAC/s,")
    print(f"copy {bandwidth:.1f} GB/s read and written\n")
    print(
        f"{'':36} {'ms':>7} {'GMAC':>7} {'GMAC/s':>7} {'peak':>5} {'MB':>7} {'GB/s':>6} {'copy':>5}"
    )
    total = Part()
    for part in parts.values():
        total.macs += part.macs
        total.bytes += part.bytes
    frames = zip(*(part.milliseconds for part in parts.values()), strict=True)
    total.milliseconds = [sum(frame) for frame in frames]
    for name, part in {**parts, "all": total}.items():
        seconds = statistics.median(part.milliseconds) / 1e3
        gmacs, gigabytes = part.macs / seconds / 1e9, part.bytes / seconds / 1e9
        print(
            f"{name:36} {seconds * 1e3:7.2f} {part.macs / 1e9:7.3f} {gmacs:7.1f} "
            f"{gmacs / peak:5.0%} {part.bytes / 1e6:7.1f} {gigabytes:6.1f} "
            f"{gigabytes / bandwidth:5.0%}"
        )
    return 0


def _part_of(name: str, before_encoder: bool) -> str:
    for pattern, part in _PARTS:
        if match := re.match(pattern, name):
            return part.format(*match.groups())
    return _INPUT if before_encoder else _OUTPUT


def counted(model: onnx.ModelProto) -> dict[str, Part]:
    """The parts in the order of the frame, with the multiply-adds of their convolutions."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    graph = onnx.shape_inference.infer_shapes(model).graph
    for value in (*graph.value_info, *graph.input, *graph.output):
        shapes[value.name] = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    parts: dict[str, Part] = defaultdict(Part)
    parts[_INPUT] = Part()
    for node in graph.node:
        if node.op_type == "Conv":
            part = parts[_part_of(node.name, before_encoder=False)]
            part.macs += int(np.prod(shapes[node.output[0]])) * int(
                np.prod(shapes[node.input[1]][1:])
            )
        elif node.op_type in ("MatMul", "Gemm"):
            part = parts[_part_of(node.name, before_encoder=False)]
            part.macs += int(np.prod(shapes[node.output[0]])) * shapes[node.input[0]][-1]
    parts["decoder: upsampling, concatenation"] = Part()
    parts[_OUTPUT] = Part()
    return dict(parts)


def _measure(
    parts: dict[str, Part], path: Any, precision: str, options: argparse.Namespace
) -> None:
    """Fill in times and bytes from OpenVINO's own profile."""
    model = compiled(openvino.Core().read_model(path), precision, options.threads, PERF_COUNT=True)
    request = model.create_infer_request()
    height, width = read_card(path).input_size
    frame = np.ascontiguousarray(StreetCamera(1, width, height).frame(40).image[None])
    request.set_input_tensor(openvino.Tensor(frame))
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(_WARM_UP):
        request.infer()
    for _ in range(options.frames):
        request.infer()
        for node in request.get_profiling_info():
            times[node.node_name].append(node.real_time.total_seconds() * 1e3)

    for part in parts.values():
        part.milliseconds = [0.0] * options.frames
    before_encoder = True
    for operator in model.get_runtime_model().get_ordered_ops():
        name = operator.get_friendly_name()
        before_encoder &= not name.startswith("encoder.")
        if max(times.get(name, [0.0])) == 0:
            continue
        part = parts[_part_of(name, before_encoder)]
        part.milliseconds = [a + b for a, b in zip(part.milliseconds, times[name], strict=True)]
        part.bytes += sum(_size(port.get_source_output()) for port in operator.inputs())
        part.bytes += sum(_size(output) for output in operator.outputs())


def _size(output: Any) -> int:
    return int(np.prod(list(output.get_shape()))) * output.get_element_type().size


if __name__ == "__main__":
    raise SystemExit(main())
