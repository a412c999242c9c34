"""`hyperseg build`: a model's engine, ready before the robot starts; and INT8 model files."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, helper

from hyperseg_ros.runtime.backends import (
    Backend,
    BackendError,
    EngineOptions,
    create_backend,
    installed_backends,
)
from hyperseg_ros.runtime.backends.tensorrt.backend import TensorRtBackend
from hyperseg_ros.runtime.backends.tensorrt.cache import CacheMiss, EngineCache
from hyperseg_ros.runtime.backends.tensorrt.engines import PRECISIONS, EngineRequest
from hyperseg_ros.runtime.backends.tensorrt.library import find_usable
from hyperseg_ros.runtime.card import METADATA_KEY, ModelCard
from hyperseg_ros.runtime.image_files import IMAGE_SUFFIXES, read_image, read_pixels
from hyperseg_ros.runtime.model_file import find_model, fixed_batch, read_card
from hyperseg_ros.runtime.options import positive
from hyperseg_ros.runtime.precision import (
    Agreement,
    compare,
    is_quantized,
    quantize_encoder,
    rounded_to_half,
    with_float_depthwise,
)
from hyperseg_ros.runtime.precision.agreement import Frame, Model
from hyperseg_ros.runtime.resizing import fit_image

_CALIBRATION_FRAMES = 64
_COMPARED_FRAMES = 50
_NO_DLA = (
    "the DLA has no matrix products of two activations and no convolutions whose kernels arrive "
    "with the frame, which is what HyperSeg's decoder is made of: nearly every layer would go back "
    "to the GPU, with a copy each way; build without --dla"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; with `--check` 1 where a start would have to build.

    Raises:
        ValueError: the model cannot be used or built, or frames are missing.
        OSError: a file cannot be written.
    """
    options = _parse(argv)
    if options.dla:
        raise BackendError(_NO_DLA)
    path = find_model(options.model)
    card = read_card(path)
    engines = EngineOptions(options.cache, options.workspace << 20, _say)
    options.batch = options.batch or fixed_batch(path) or 1
    request = EngineRequest(path, options.precision, options.batch)
    if options.check:
        return _check(request, engines)

    reference = path if options.reference is None else find_model(options.reference)
    frames = options.frames or options.calibrate
    if frames is not None and is_quantized(onnx.load(str(reference))):
        raise ValueError(
            f"{reference} is INT8: give --reference with the FP32 model file to compare with"
        )
    if options.calibrate is not None:
        path = _write_int8(path, card, options.calibrate, options.output)
        request = dataclasses.replace(request, path=path)
    elif options.output is not None:
        raise ValueError("--output is for the INT8 model file that --calibrate writes")
    request = request.resolved()

    if options.simulate:
        if frames is None:
            raise ValueError("--simulate compares on frames: give --frames FOLDER")
        model = with_float_depthwise(onnx.load(str(path)))
        simulated = _on_onnxruntime(
            model if request.precision == "fp32" else rounded_to_half(model), options.batch
        )
        agreement = _compare(simulated, reference, card, frames, options)
        print(f"{request.precision} simulated on the CPU: {agreement}")
        return 0
    begin = time.monotonic()
    backend = TensorRtBackend(
        path, precision=request.precision, batch_size=request.batch_size, options=engines
    )
    try:
        print(f"ready in {time.monotonic() - begin:.1f} s: {backend.precision} on {backend.device}")
        for name, text in backend.details.items():
            print(f"{name}: {text}")
        if options.layers is not None:
            options.layers.write_text(backend.layers(), encoding="utf-8")
            print(f"layers: {options.layers}")
        if frames is None:
            print("agreement with FP32: not measured (give --frames FOLDER)")
            return 0
        batched = _first_of_batch(backend, options.batch)
        print(f"agreement: {_compare(batched, reference, card, frames, options)}")
    finally:
        backend.close()
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hyperseg build",
        description="Build the TensorRT engine of a model for this machine's GPU and keep it, so "
        "that a node starts in seconds. With --precision int8 --calibrate FOLDER, also write the "
        "model file with an INT8 encoder that the engine is built from.",
    )
    parser.add_argument("model", metavar="MODEL", help="model file, or name of a shipped model")
    parser.add_argument(
        "--precision",
        choices=("auto", *PRECISIONS),
        default="auto",
        help="auto, the default: int8 for a model file with an INT8 encoder, else fp16",
    )
    parser.add_argument(
        "--batch",
        type=positive,
        metavar="N",
        help="images a call; default: as the model file has it, 1 where that is free",
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FOLDER",
        help="images of what the cameras will see, which INT8 takes its ranges from",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the INT8 model file; default: MODEL.int8.onnx"
    )
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
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="default: as the node's")
    parser.add_argument(
        "--workspace", type=positive, default=1024, metavar="MIB", help="scratch memory of a layer"
    )
    parser.add_argument(
        "--check", action="store_true", help="only say whether a start would be instant"
    )
    parser.add_argument(
        "--simulate",
        action="store_true",
        help="without a GPU: compare the precision with FP32 on the CPU, build no engine",
    )
    parser.add_argument(
        "--layers", type=Path, metavar="FILE", help="write the engine's layers there, JSON"
    )
    parser.add_argument("--dla", action="store_true", help="refused, with the reason")
    options = parser.parse_args(argv)
    if options.calibrate is not None and options.precision != "int8":
        parser.error("--calibrate is for --precision int8")
    if options.labels is not None and options.frames is None:
        parser.error("--labels needs --frames")
    return options


def _check(request: EngineRequest, engines: EngineOptions) -> int:
    library, device = find_usable()
    cache, key = EngineCache(engines.cache), request.resolved().key(library, device, engines)
    try:
        size = len(cache.load(key))
    except CacheMiss as reason:
        print(f"a start would build the engine: {reason}")
        return 1
    print(f"a start is instant: {cache.path(key)}, {size >> 20} MiB, {key.precision}, {library}")
    return 0


def _write_int8(path: Path, card: ModelCard, folder: Path, output: Path | None) -> Path:
    """Write the model file with an INT8 encoder, and say where."""
    output = output or path.with_name(f"{path.stem}.int8.onnx")
    files = _images(folder, _CALIBRATION_FRAMES)
    _say(f"calibrating on {len(files)} of the images in {folder}")
    frames = (fit_image(read_image(file), card.input_size) for file in files)
    quantized = quantize_encoder(onnx.load(str(path)), frames)
    card = dataclasses.replace(
        card,
        name=f"{card.name}-int8",
        training=f"{card.training} Encoder in INT8, calibrated on {len(files)} images.",
        # What was measured was the FP32 model.
        miou={},
    )
    helper.set_model_props(quantized, {METADATA_KEY: card.to_json()})
    temporary = output.with_name(f"{output.name}.partial")
    onnx.save(quantized, str(temporary))
    temporary.replace(output)
    print(f"saved {output} ({output.stat().st_size / 1e6:.1f} MB)")
    return output


def _compare(
    model: Model, reference: Path, card: ModelCard, folder: Path, options: argparse.Namespace
) -> Agreement:
    if not installed_backends():
        raise BackendError("there is no CPU backend to compare with: pip install onnxruntime")
    fp32 = create_backend(
        installed_backends()[0], reference, precision="fp32", batch_size=options.batch
    )
    try:
        return compare(
            model,
            _first_of_batch(fp32, options.batch),
            _frames(folder, options.labels),
            card.input_size,
            len(card.classes),
        )
    finally:
        fp32.close()


def _frames(folder: Path, labels: Path | None) -> Iterator[Frame]:
    for file in _images(folder, _COMPARED_FRAMES):
        truth: NDArray[np.uint8] | None = None
        image = read_image(file)
        if labels is not None:
            partner = labels / f"{file.stem}.png"
            read = read_pixels(partner)
            if read.dtype != np.uint8 or read.shape != image.shape[:2]:
                raise ValueError(
                    f"{partner} is not a PNG of class ids, one byte a pixel, of the size of {file}"
                )
            truth = np.asarray(read)
        yield image, truth


def _images(folder: Path, most: int) -> list[Path]:
    """The image files of a folder, by name; of many, some that are evenly spread."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder of images")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ValueError(f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    if len(files) <= most:
        return files
    return [files[index * len(files) // most] for index in range(most)]


def _first_of_batch(backend: Backend, batch: int) -> Model:
    def labels(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        found, _ = backend.infer(np.repeat(frame[None], batch, axis=0))
        return found[0]

    return labels


def _on_onnxruntime(model: ModelProto, batch: int) -> Model:
    """A graph on ONNX Runtime's CPU kernels as it stands: optimizing would undo the rounding."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def labels(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        (found,) = session.run(["labels"], {"image": np.repeat(frame[None], batch, axis=0)})
        return found[0]

    return labels


def _say(message: str) -> None:
    print(message, flush=True)
