"""Which model, backend, precision and threads suit this machine: measured, not guessed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperseg_ros.benchmark.inference import Measurement, measure_apart
from hyperseg_ros.export.resizing import is_at_another_size, resize_model_file
from hyperseg_ros.runtime.backends import BACKENDS, BackendError, choose_backend
from hyperseg_ros.runtime.model_file import read_card

_FRAMES = 20
_PRECISIONS = {"openvino": ("bf16", "fp32"), "onnxruntime": ("fp32",)}
"""What each CPU backend is tried in, the fastest first; a GPU's backends are tried in `auto`."""


@dataclass(frozen=True)
class Trial:
    """A way to run a model here, and what it took."""

    model: Path
    backend: str
    precision: str
    threads: int
    milliseconds: float
    """Of a frame, from the camera's image to labels of its size; median of each step, added."""
    input_size: tuple[int, int]
    """Height and width of the model's input, pixels."""
    miou: float | None
    """The first that the card has; None if it has none."""
    at_size: bool = True
    """Whether that was measured at this input size."""


def advise(
    models: Sequence[Path],
    size: tuple[int, int],
    seconds: float,
    measure: Callable[..., Measurement] = measure_apart,
) -> Iterator[Trial | str]:
    """Measure every way to run the models here, as far as the time goes.

    Args:
        models: model files.
        size: height and width of the camera's images.
        seconds: after which nothing more is begun.
        measure: as `measure_apart`.

    Yields:
        What was measured; or a sentence on what was not, and why.
    """
    end = time.monotonic() + seconds
    left_out = 0
    for backend, precision, threads in _ways():
        for model in models:
            name = f"{model.stem} on {backend} in {precision}"
            if time.monotonic() > end:
                left_out += 1
                continue
            try:
                found = measure(model, backend, size, _FRAMES, threads, precision)
            except (ValueError, RuntimeError) as error:
                yield f"{name}: {error}"
                continue
            card = read_card(model)
            dataset, miou = next(iter(card.miou.items()), ("", None))
            steps = (found.preprocess_ms, found.inference_ms, found.postprocess_ms)
            yield Trial(
                model,
                backend,
                found.precision,
                threads,
                sum(median for median, _ in steps),
                card.input_size,
                miou,
                not is_at_another_size(dataset),
            )
    if left_out:
        yield f"{left_out} further ways were not measured: the time was up"


def _ways() -> Iterator[tuple[str, str, int]]:
    """Backend, precision and threads: the promising first."""
    cores = os.cpu_count() or 1
    usable = []
    for backend in BACKENDS[1:]:
        try:
            choose_backend(backend)
        except BackendError:
            continue
        usable.append(backend)
    for threads in sorted({0, max(1, cores // 2)}):  # 0: the backend's own choice
        for backend in usable:
            for precision in _PRECISIONS.get(backend, ("auto",)):
                if threads == 0 or backend in _PRECISIONS:
                    yield backend, precision, threads


def choose(trials: Sequence[Trial], rate: float) -> Trial:
    """The best trial: of those that keep up with a rate the one of the highest mIoU, where that was
    measured at the input size, then the fastest; if none keeps up the fastest.

    Args:
        trials: at least one.
        rate: frames per second that are wanted.
    """
    keeps_up = [trial for trial in trials if trial.milliseconds <= 1e3 / rate]
    if not keeps_up:
        return min(trials, key=lambda trial: trial.milliseconds)
    return max(keeps_up, key=_merit)


def _merit(trial: Trial) -> tuple[bool, float, float]:
    return trial.at_size, trial.miou or 0.0, -trial.milliseconds


def resized_models(
    models: Sequence[Path], sizes: Sequence[tuple[int, int]], folder: Path
) -> Iterator[Path | str]:
    """Model files for other input sizes, written to a folder.

    Yields:
        A file; or a sentence on what could not be made, and why.
    """
    for model in models:
        for height, width in sizes:
            if (height, width) == read_card(model).input_size:
                continue
            output = folder / f"{model.stem}-{height}x{width}.onnx"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                resize_model_file(model, output, (height, width))
            except (ValueError, RuntimeError) as error:
                yield f"{output.stem}: {error}"
                continue
            yield output


def parameter_file(trial: Trial, shipped: bool, reason: str) -> str:
    """A parameter file of the node, YAML, that the launch file takes as `params_file`.

    Args:
        trial: what to run.
        shipped: whether the model is a shipped one, which is named without its folder.
        reason: a line for people.
    """
    model = trial.model.stem if shipped else str(trial.model.resolve())
    return (
        f"# Written by `hyperseg benchmark --advise`: {reason}\n"
        "/**:\n"
        "  ros__parameters:\n"
        f"    model: {json.dumps(model, ensure_ascii=False)}\n"
        f"    backend: {trial.backend}\n"
        f"    precision: {trial.precision}\n"
        f"    threads: {trial.threads}\n"
    )
