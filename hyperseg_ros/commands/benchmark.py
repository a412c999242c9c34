"""`hyperseg benchmark`: a model's inference, with --node the node, with --train a training step."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.benchmark import advice
from hyperseg_ros.benchmark.inference import WARM_UP_FRAMES, Measurement, measure_apart
from hyperseg_ros.commands.options import add_hardware_options, image_size, positive
from hyperseg_ros.files import write_text
from hyperseg_ros.runtime.backends import BACKENDS, choose_backend
from hyperseg_ros.runtime.model_file import (
    DEFAULT_MODEL,
    find_model,
    read_card,
    shipped_models,
)

_TRAINED = "hyperseg-s-camvid"
"""The network whose training is measured where none is named."""


def main(argv: Sequence[str]) -> int:
    """Run the command: the benchmark of the model, of the node, or of training.

    Raises:
        ValueError: the model or a backend cannot be used.
        ModuleNotFoundError: ROS 2, or PyTorch, is not installed.
    """
    if "--node" in argv:
        return _node(argv)
    if "--train" in argv:
        return _train(argv)
    if "--advise" in argv:
        return _advise(argv)
    return _inference(argv)


def _inference(argv: Sequence[str]) -> int:
    options = _parse_inference(argv)
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
            path,
            backend,
            options.size,
            options.frames,
            options.threads,
            options.precision,
            options.device,
        )
        print(_row(measurement), flush=True)
    return 0


def _parse_inference(argv: Sequence[str]) -> argparse.Namespace:
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
    parser.add_argument(
        "--size",
        type=image_size,
        default=(480, 640),
        metavar="HxW",
        help="height and width of the camera images; default: 480x640",
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


def _advise(argv: Sequence[str]) -> int:
    options = _parse_advise(argv)
    shipped = shipped_models()
    models = [find_model(name) for name in options.model or sorted(shipped)]
    folder = options.output.parent / f"{options.output.stem}_models"
    for made in advice.resized_models(models[:], options.input_sizes, folder):
        if isinstance(made, str):
            print(made, flush=True)
        else:
            models.append(made)
    print(
        f"images of {_size(options.size)}, {options.seconds} s, wanted: {options.rate:g} frames/s"
    )
    print(
        f"{'model':32} {'input':>11} {'backend':12} {'precision':9} {'threads':>7} {'ms':>8} "
        f"{'/s':>6}  mIoU"
    )
    trials = []
    for found in advice.advise(models, options.size, options.seconds):
        if isinstance(found, str):
            print(found, flush=True)
            continue
        trials.append(found)
        miou = "" if found.miou is None else f"{found.miou:.1%}"
        miou += "" if found.at_size else " at another size"
        print(
            f"{found.model.stem:32} {_size(found.input_size):>11} {found.backend:12} "
            f"{found.precision:9} "
            f"{found.threads or 'auto':>7} {found.milliseconds:8.1f} "
            f"{1e3 / found.milliseconds:6.1f}  {miou}",
            flush=True,
        )
    if not trials:
        raise ValueError("no model could be measured: nothing here can run one")
    best = advice.choose(trials, options.rate)
    reason = (
        f"{best.milliseconds:.1f} ms per frame of {_size(options.size)}, "
        f"{1e3 / best.milliseconds:.1f} per second"
    )
    if best.milliseconds > 1e3 / options.rate:
        reason += f"; nothing measured keeps up with {options.rate:g}"
    is_shipped = shipped.get(best.model.stem) == best.model
    write_text(options.output, advice.parameter_file(best, is_shipped, reason))
    print(f"{best.model.stem} on {best.backend} in {best.precision}: {reason}")
    print(f"wrote {options.output}: ros2 launch ... params_file:={options.output.resolve()}")
    return 0


def _parse_advise(argv: Sequence[str]) -> argparse.Namespace:
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
    parser.add_argument(
        "--size",
        type=image_size,
        default=(480, 640),
        metavar="HxW",
        help="height and width of the camera images; default: 480x640",
    )
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


def _node(argv: Sequence[str]) -> int:
    options = _parse_node(argv)
    from hyperseg_ros.benchmark import node

    if options.soak:
        objections = node.soak(options.model, options.soak)
        for objection in objections:
            print(f"FAILED: {objection}")
        return 1 if objections else 0
    node.measure_latency(options.model, options.seconds)
    node.measure_overload(options.model, 2 * options.seconds)
    return 0


def _parse_node(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg benchmark --node",
        description="Measure what the node adds to the network's time, over DDS between processes, "
        "and how it bears more cameras than the network has time for. The network itself is "
        "replaced by a clock. Needs ROS 2.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        default=DEFAULT_MODEL,
        help=f"whose classes and input size to use; default: {DEFAULT_MODEL}",
    )
    parser.add_argument("--node", action="store_true", help="measure the node")
    parser.add_argument(
        "--seconds", type=positive, default=10, metavar="S", help="of each measurement; default: 10"
    )
    parser.add_argument(
        "--soak",
        type=positive,
        metavar="MINUTES",
        help="keep the node under overload for this long instead; "
        "the exit status is 1 if the node does not bear it",
    )
    return parser.parse_args(argv)


def _train(argv: Sequence[str]) -> int:
    options = _parse_train(argv)
    from hyperseg_ros.benchmark import training
    from hyperseg_ros.training.precision import choose_precision

    precisions = options.precision
    if not precisions:
        precisions = [training.native_precision()]
        print(f"precision {precisions[0]}: {choose_precision().reason}")
    print(f"batch {options.batch} of {_size(options.size)}, {options.steps} steps")
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


def _parse_train(argv: Sequence[str]) -> argparse.Namespace:
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
