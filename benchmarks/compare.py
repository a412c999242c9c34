#!/usr/bin/env python3
"""Ours on every backend against the published code and PIDNet-S, in turn in one run.

    tools/train benchmarks/compare.py --official CHECKOUT --pidnet CHECKOUT [MODEL ...]

Same weights, same size, same number of threads. The published code is timed from the normalised
image to the logits, ours and PIDNet-S, on OpenVINO, from camera pixels to labels and confidence.
Ratios are to PIDNet-S where it competes; else to the published code with glibc's allocator tuned,
which is about twice as fast as it is without. ONEDNN_MAX_CPU_ISA=AVX2 limits oneDNN, in OpenVINO
and PyTorch, to AVX2; ONNX Runtime and a few kernels of OpenVINO do not obey it.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import onnx
import torch
from contestants import TUNED, Contestant, Entry
from machine import describe, fastest_precision, has_bf16
from official import NAMES, is_checkout, settle
from pidnet import NAME as PIDNET
from pidnet import is_checkout as is_pidnet
from pidnet import write_pidnet
from untrained import untrained_card

from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.network import VARIANTS, build, load_checkpoint, save_checkpoint
from hyperseg_ros.runtime.backends import installed_backends
from hyperseg_ros.runtime.model_file import find_model, read_card, shipped_models
from hyperseg_ros.runtime.precision.int8 import quantize_encoder
from hyperseg_ros.simulation import StreetCamera

_CALIBRATION_FRAMES = 16
PIDNET_FP32 = f"{PIDNET}, openvino fp32"
OFFICIAL, TUNED_OFFICIAL = "official PyTorch", "official PyTorch, tuned allocator"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every model that was asked for, and print a table each."""
    options = _parse(argv)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    print(describe(options.threads))
    if options.official is None:
        print("no --official CHECKOUT (git clone https://github.com/YuvalNirkin/hyperseg):")
        print("without the published code, ratios are of the first of our own contestants")
    for name in options.models:
        with tempfile.TemporaryDirectory(prefix="hyperseg-compare-") as folder:
            _compare(name, Path(folder), options)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="published variants and shipped models; default: all of them",
    )
    parser.add_argument(
        "--official",
        type=Path,
        metavar="FOLDER",
        help="a checkout: git clone https://github.com/YuvalNirkin/hyperseg",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="weights of the one MODEL, published or ours; default: untrained ones",
    )
    parser.add_argument("--rounds", type=int, default=15, help="frames of each contestant")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all"
    )
    parser.add_argument(
        "--pidnet",
        type=Path,
        metavar="FOLDER",
        help="a checkout: git clone https://github.com/XuJiacong/PIDNet",
    )
    options = parser.parse_args(argv)
    if options.pidnet is not None and not is_pidnet(options.pidnet):
        parser.error(f"{options.pidnet} is no checkout of PIDNet")
    if options.official is not None and not is_checkout(options.official):
        parser.error(f"{options.official} is no checkout of the published code")
    known = [*NAMES, *shipped_models()]
    options.models = options.models or known
    unknown = [name for name in options.models if name not in known]
    if unknown:
        parser.error(f"no model {', '.join(unknown)}; there are {', '.join(known)}")
    if options.checkpoint and len(options.models) != 1:
        parser.error("--checkpoint goes with one MODEL")
    return options


def _compare(name: str, folder: Path, options: argparse.Namespace) -> None:
    entries = _entries(name, folder, options)
    times: dict[str, list[float]] = {}
    labels = {}
    with ExitStack() as stack:
        contestants = [stack.enter_context(Contestant(entry)) for entry in entries]
        for _ in range(options.rounds):
            for contestant in contestants:
                times.setdefault(contestant.name, []).append(contestant.run())
        for contestant in contestants:
            labels[contestant.name] = contestant.labels(folder)
    height, width = labels[entries[0].name].shape
    print(f"\n{name}, {height} x {width}, {options.rounds} rounds")
    print(f"{'':36} {'median':>9} {'quartiles':>15} {'ratio':>7} {'quartiles':>13} {'labels':>8}")
    yardstick = next((n for n in (PIDNET_FP32, TUNED_OFFICIAL) if n in times), entries[0].name)
    reference = next(name for name in times if PIDNET not in name)
    for contestant, took in times.items():
        ratios = [a / b for a, b in zip(times[yardstick], took, strict=True)]
        low, middle, high = statistics.quantiles(took, n=4)
        ratio_low, ratio, ratio_high = statistics.quantiles(ratios, n=4)
        same = np.mean(labels[contestant] == labels[reference])
        print(
            f"{contestant:36} {middle:6.1f} ms {low:6.1f} -{high:7.1f} {ratio:6.2f}x "
            f"{ratio_low:5.2f} -{ratio_high:6.2f} {same:8.3%}",
            flush=True,
        )


def _entries(name: str, folder: Path, options: argparse.Namespace) -> list[Entry]:
    """The contestants, the published code first; writes what they need into the folder."""
    if name in VARIANTS:
        model_file, checkpoint, variant = _write(name, folder, options.checkpoint)
    else:
        model_file, checkpoint, variant = find_model(name), options.checkpoint, None
    height, width = read_card(model_file).input_size
    np.save(folder / "frame.npy", StreetCamera(1, width, height).frame(40).image)
    common = {"frame": str(folder / "frame.npy"), "threads": options.threads}
    entries = []
    if checkpoint is not None:
        common |= {"checkpoint": str(checkpoint), "variant": variant}
        if options.official is not None and name in NAMES:
            spec = {**common, "kind": "official", "checkout": str(options.official.resolve())}
            entries += [Entry(OFFICIAL, spec, {}), Entry(TUNED_OFFICIAL, spec, TUNED)]
        entries.append(Entry("ours, PyTorch eager", {**common, "kind": "pytorch"}, TUNED))
    int8_file = _with_int8_encoder(model_file, folder)
    fastest = fastest_precision()
    files = [
        ("ours, onnxruntime fp32", "onnxruntime", "fp32", model_file),
        ("ours, openvino fp32", "openvino", "fp32", model_file),
        ("ours, openvino bf16", "openvino", "bf16", model_file),
        (f"ours, openvino {fastest}, INT8 encoder", "openvino", fastest, int8_file),
    ]
    if options.pidnet is not None:
        pidnet = folder / "pidnet.onnx"
        write_pidnet(pidnet, options.pidnet, read_card(model_file).classes, (height, width))
        files.append((PIDNET_FP32, "openvino", "fp32", pidnet))
        files.append((f"{PIDNET}, openvino bf16", "openvino", "bf16", pidnet))
    for title, backend, precision, file in files:
        if backend in installed_backends() and (precision != "bf16" or has_bf16()):
            spec = {"kind": "backend", "backend": backend, "precision": precision}
            spec["model_file"] = str(file)
            entries.append(Entry(title, {**common, **spec}, {}))
    return entries


def _with_int8_encoder(model_file: Path, folder: Path) -> Path:
    height, width = read_card(model_file).input_size
    cameras = (StreetCamera(seed, width, height) for seed in range(100, 100 + _CALIBRATION_FRAMES))
    quantized = quantize_encoder(onnx.load(model_file), (c.frame(40).image for c in cameras))
    file = folder / "int8.onnx"
    onnx.save(quantized, str(file))
    return file


def _write(name: str, folder: Path, checkpoint: Path | None) -> tuple[Path, Path, str]:
    """A model file and a checkpoint with the same weights."""
    variant = VARIANTS[name]
    if checkpoint is None:
        torch.manual_seed(0)
        network = settle(build(name), (256, 512))
        checkpoint = folder / f"{name}.pt"
        save_checkpoint(checkpoint, network)
    else:
        network, _ = load_checkpoint(checkpoint, name)
    card = untrained_card(name, variant.classes, variant.size)
    file = folder / f"{name}.onnx"
    write_model_file(file, network, card, half_weights=False)
    return file, checkpoint, name


if __name__ == "__main__":
    raise SystemExit(main())
