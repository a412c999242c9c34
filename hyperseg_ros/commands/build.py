"""`hyperseg build`: a model's engine, ready before the robot starts; and INT8 model files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hyperseg_ros.commands.options import positive
from hyperseg_ros.files import write_text
from hyperseg_ros.runtime.backends import BackendError, DeviceLostError, EngineOptions
from hyperseg_ros.runtime.backends.derivation import PRECISIONS, ModelSource
from hyperseg_ros.runtime.backends.tensorrt.backend import TensorRtBackend, open_engines
from hyperseg_ros.runtime.backends.tensorrt.cache import CacheMiss, EngineCache
from hyperseg_ros.runtime.backends.tensorrt.engines import Trial, list_layers
from hyperseg_ros.runtime.backends.tensorrt.library import find_library, find_usable
from hyperseg_ros.runtime.model_file import find_model, fixed_batch, read_card, write_card
from hyperseg_ros.runtime.precision.comparison import FolderComparison, simulate
from hyperseg_ros.runtime.precision.int8_file import write_int8_file


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Returns:
        0; with `--check` 1 where a start would have to build.

    Raises:
        ValueError: the model cannot be used or built, or frames are missing.
        OSError: a file cannot be written.
    """
    options = _parse(argv)
    path = find_model(options.model)
    engines = EngineOptions(options.cache, options.workspace << 20, options.gpu, notify=_say)
    if options.check:
        return _check(path, options.precision, engines)
    comparison = None
    if options.frames or options.calibrate:
        reference = find_model(options.reference or options.model)
        comparison = FolderComparison(
            reference, options.frames or options.calibrate, options.labels
        )
    if options.calibrate is not None:
        output = options.output or path.with_name(f"{path.stem}.int8.onnx")
        frames = write_int8_file(path, options.calibrate, output)
        print(f"saved {output} ({output.stat().st_size / 1e6:.1f} MB), calibrated on {frames}")
        path = output
        if comparison is not None:
            agreement = comparison.run_file(path)
            card = read_card(path)
            write_card(path, replace(card, agreement={comparison.name: agreement.labels}))
            print(f"its card says: {agreement}")
    if options.simulate:
        if comparison is None:
            raise ValueError("--simulate compares on frames: give --frames FOLDER")
        precision, labels = simulate(path, options.precision)
        print(f"{precision} simulated on the CPU: {comparison.run(labels)}")
        return 0
    if options.layers is not None and find_library().is_rtx:
        _list_layers(path, options.precision, options.layers)
        return 0
    try:
        _build(path, options.precision, engines, comparison, options.layers)
    except DeviceLostError as error:
        raise BackendError(f"{error}: start again, what failed is left out") from error
    return 0


def _build(
    path: Path,
    precision: str,
    options: EngineOptions,
    comparison: FolderComparison | None,
    layers: str | None,
) -> None:
    """Build and time what may be the fastest, say what came of it, and compare the fastest."""
    batch_size = fixed_batch(path) or 1
    # A mistake in the call is told before a device that is missing.
    ModelSource.read(path, batch_size).contest(precision)
    platform = find_usable(options.gpu)
    trials = open_engines(path, batch_size, options, platform).contest(precision)
    print("\n".join(_table(trials)))
    if trials[0].trouble:
        raise BackendError(trials[0].trouble)
    backend = TensorRtBackend(
        path, precision=precision, batch_size=batch_size, options=options, platform=platform
    )
    try:
        print(f"{backend.precision} on {backend.device}")
        for name, text in backend.details.items():
            print(f"{name}: {text}")
        if layers:
            write_text(layers, backend.layers())
            print(f"layers: {layers}")
        if comparison is None:
            print("agreement with FP32 on your own images: give --frames FOLDER")
        else:
            print(f"agreement: {comparison.run(comparison.first_of_batch(backend))}")
    finally:
        backend.close()


def _table(trials: Sequence[Trial]) -> list[str]:
    """The engines that were compared, the fastest first."""
    rows = [_row("precision", "form", "a frame", "labels", "kernels", "moved")]
    for trial in trials:
        findings, layers = trial.findings, trial.layers
        if trial.trouble:
            rows.append(f"{_row(*trial.derivation).rstrip()}  not used: {trial.trouble}")
            continue
        rows.append(
            _row(
                *trial.derivation,
                f"{findings.milliseconds:.2f} ms" if findings else "",
                f"{findings.agreement:.2%}" if findings else "",
                str(layers.kernels) if layers and layers.kernels else "",
                f"{layers.traffic / 1e6:.0f} MB" if layers and layers.kernels else "",
            )
        )
    return rows


def _list_layers(path: Path, precision: str, file: str) -> None:
    """Print what TensorRT-RTX makes of each graph; write the lists to a file where one is named."""
    library = find_library()
    source = ModelSource.read(path, fixed_batch(path) or 1)
    print(f"{library}, no device needed")
    print(_row("precision", "form", "kernels", "moved", "scratch"))
    texts = []
    for derivation, layers in list_layers(source, library, precision):
        moved, scratch = f"{layers.traffic / 1e6:.1f} MB", f"{layers.scratch / 1e6:.1f} MB"
        print(_row(*derivation, str(layers.kernels), moved, scratch), flush=True)
        texts.append(f"{derivation}: {layers}")
    if file:
        write_text(file, "\n".join(texts))
        print(f"layers: {file}")


def _row(*cells: str) -> str:
    return "".join(f"{cell:<13}" for cell in cells).rstrip()


def _check(path: Path, precision: str, options: EngineOptions) -> int:
    platform = find_usable(options.gpu)
    engines = open_engines(path, fixed_batch(path) or 1, options, platform)
    try:
        key, findings = engines.find(precision)
    except CacheMiss as reason:
        print(f"a start would build the engine: {reason}")
        return 1
    print(
        f"a start is instant: {EngineCache(options.cache).path(key)}, {key.precision}, "
        f"{key.form} form, {findings.milliseconds:.2f} ms, {findings.agreement:.2%} of the labels "
        f"equal ONNX Runtime's, {platform[0]}"
    )
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg build",
        description="Build the TensorRT engines of a model for this machine's GPU, compare their "
        "labels with the model's, time them and keep them, so that a node starts in seconds with "
        "the fastest. With --precision int8 --calibrate FOLDER, first write a model file with an "
        "INT8 encoder.",
    )
    parser.add_argument("model", metavar="MODEL", help="model file, or name of a shipped model")
    parser.add_argument(
        "--precision",
        choices=("auto", *PRECISIONS),
        default="auto",
        help="auto, the default: fp16, and int8 beside it for a model file with an INT8 encoder",
    )
    _add_int8_options(parser)
    _add_comparison_options(parser)
    _add_engine_options(parser)
    parser.add_argument(
        "--check", action="store_true", help="only say whether a start would be instant"
    )
    parser.add_argument(
        "--simulate",
        action="store_true",
        help="without a GPU: compare the precision with FP32 on the CPU, build no engine",
    )
    parser.add_argument(
        "--layers",
        nargs="?",
        const="",
        metavar="FILE",
        help="what is fused, all layers to FILE; TensorRT-RTX needs no GPU for it",
    )
    options = parser.parse_args(argv)
    if options.calibrate is not None and options.precision != "int8":
        parser.error("--calibrate is for --precision int8")
    if options.output is not None and options.calibrate is None:
        parser.error("--output is for the INT8 model file that --calibrate writes")
    if options.labels is not None and options.frames is None:
        parser.error("--labels needs --frames")
    return options


def _add_int8_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FOLDER",
        help="images of what the cameras will see, which INT8 takes its ranges from",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the INT8 model file; default: MODEL.int8.onnx"
    )


def _add_comparison_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--frames", type=Path, metavar="FOLDER", help="images to compare with FP32 on the CPU"
    )
    parser.add_argument(
        "--reference", metavar="MODEL", help="the FP32 model to compare with; default: MODEL"
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FOLDER",
        help="true labels of --frames, PNG of class ids with the same names",
    )


def _add_engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="default: as the node's")
    parser.add_argument(
        "--workspace",
        type=positive,
        default=1024,
        metavar="MIB",
        help="scratch memory that a layer may ask for while building; default: 1024",
    )
    parser.add_argument(
        "--gpu", type=int, default=0, metavar="N", help="the GPU's number, as CUDA counts"
    )


def _say(message: str) -> None:
    print(message, flush=True)
