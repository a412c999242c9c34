"""Which model, backend, precision and threads suit this machine: measured, not guessed."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperseg_ros.benchmark.inference import Measurement, measure_apart
from hyperseg_ros.export.resizing import is_at_another_size, measured_data, resize_model_file
from hyperseg_ros.runtime.backends import BACKENDS, BackendError, choose_backend
from hyperseg_ros.runtime.card import ModelCard
from hyperseg_ros.runtime.model_file import ModelFileError, read_card
from hyperseg_ros.runtime.trained_on import OF_A_TWIN, SEEN

_FRAMES = 20


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
    """On the data set that models are compared on; None if the card has none."""
    at_size: bool = True
    """Whether that was measured at this input size; without it, whether this is the model's own."""
    device: str = "auto"
    """As the node's parameter."""


def advise(
    models: Sequence[Path],
    size: tuple[int, int],
    seconds: float,
    resized: Collection[Path] = (),
    measure: Callable[..., Measurement] = measure_apart,
) -> Iterator[Trial | str]:
    """Measure every way to run the models here, as far as the time goes.

    Args:
        models: model files.
        size: height and width of the camera's images.
        seconds: after which nothing more is begun.
        resized: those of the models that are made from others, for other input sizes.
        measure: as `measure_apart`.

    Yields:
        What was measured; or a sentence on what was not, and why.
    """
    end = time.monotonic() + seconds
    left_out = 0
    dataset = compared_on(models)
    for backend, precision, threads, device in _ways():
        for model in models:
            name = f"{model.stem} on {backend} in {precision}"
            if time.monotonic() > end:
                left_out += 1
                continue
            try:
                found = measure(model, backend, size, _FRAMES, threads, precision, device)
            except (ValueError, RuntimeError) as error:
                yield f"{name}: {error}"
                continue
            card = read_card(model)
            miou, at_size = _figures(card).get(dataset, (None, model not in resized))
            steps = (found.preprocess_ms, found.inference_ms, found.postprocess_ms)
            yield Trial(
                model,
                backend,
                "auto" if (backend, device) == ("openvino", "auto") else found.precision,
                threads,
                sum(median for median, _ in steps),
                card.input_size,
                miou,
                at_size,
                device,
            )
    if left_out:
        yield f"{left_out} further ways were not measured: the time was up"


def compared_on(models: Iterable[Path]) -> str:
    """The data set that most of the models were measured on; empty where none was on any.

    mIoU of one data set says nothing beside that of another. What was measured at the models' own
    sizes counts first, then what was measured at any; real images come before simulated.
    """
    counts: Counter[str] = Counter()
    counts_at_size: Counter[str] = Counter()
    for model in models:
        with contextlib.suppress(ModelFileError):  # told when it is to be measured
            figures = _figures(read_card(model))
            counts.update(figures.keys())
            counts_at_size.update(name for name, (_, at_size) in figures.items() if at_size)

    def merit(name: str) -> tuple[int, int, bool]:
        return counts_at_size[name], counts[name], not name.startswith("simulated")

    return max(counts, key=merit, default="")


def _figures(card: ModelCard) -> dict[str, tuple[float, bool]]:
    """mIoU by data set, and whether it was measured at the model's input size."""
    found: dict[str, tuple[float, bool]] = {}
    for name, miou in card.miou.items():
        dataset, at_size = measured_data(name), not is_at_another_size(name)
        dataset = dataset.removesuffix(OF_A_TWIN)
        if not dataset.endswith(SEEN) and (at_size or dataset not in found):
            found[dataset] = miou, at_size
    return found


def _ways() -> Iterator[tuple[str, str, int, str]]:
    """Backend, precision, threads and device: the promising first."""
    on_cpu = []
    for backend in BACKENDS[1:]:
        try:
            choose_backend(backend)
        except BackendError:
            continue
        if backend == "openvino":
            from hyperseg_ros.runtime.backends.openvino import cpu_precisions, present_devices

            on_cpu += [(backend, precision) for precision in cpu_precisions()]
            if "gpu" in present_devices():  # each start checks its labels against the CPU's
                yield backend, "auto", 0, "auto"
        elif backend == "onnxruntime":
            on_cpu.append((backend, "fp32"))
        else:
            yield backend, "auto", 0, "auto"
    half = len(os.sched_getaffinity(0)) // 2
    for threads in (0, half) if half else (0,):  # 0: the backend's own choice
        for backend, precision in on_cpu:
            yield backend, precision, threads, "cpu"


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

    One that is there already, and was measured at its size, is kept with its figures.

    Yields:
        A file; or a sentence on what could not be made, and why.
    """
    for model in models:
        for height, width in sizes:
            output = folder / f"{model.stem}-{height}x{width}.onnx"
            try:
                card = read_card(model)
                if (height, width) == card.input_size:
                    continue
                if _is_measured(output, card.source_sha256, (height, width)):
                    yield output
                    continue
                folder.mkdir(parents=True, exist_ok=True)
                resize_model_file(model, output, (height, width))
            except (ValueError, RuntimeError) as error:
                yield f"{output.stem}: {error}"
                continue
            yield output


def _is_measured(path: Path, source_sha256: str, size: tuple[int, int]) -> bool:
    """Whether a file is a model of a source and size, with figures of that size.

    Those on data that it was trained on count too: it took as long to measure them.
    """
    try:
        card = read_card(path)
    except ModelFileError:
        return False
    measured = not all(map(is_at_another_size, card.miou))
    return measured and (card.source_sha256, card.input_size) == (source_sha256, size)


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
        f"    device: {trial.device}\n"
        f"    precision: {trial.precision}\n"
        f"    threads: {trial.threads}\n"
    )
