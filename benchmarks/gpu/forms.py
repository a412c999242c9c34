"""Which form of the decoder a GPU likes: the graphs that TensorRT gets, run by PyTorch.

    benchmarks/gpu/run forms --models MODEL ... [--published CHECKOUT]

Times are from a uint8 image to uint8 labels and confidence, transfers included. The published code,
with the weights of ours, is timed from the normalised image to the logits.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from untrained import untrained_card

from gpu.clock import captured, milliseconds
from gpu.torch_graph import TorchGraph
from hyperseg_ros.runtime.backends.derivation import Derivation, ModelSource
from hyperseg_ros.runtime.graphs.forms import FORMS
from hyperseg_ros.runtime.image_files import read_image
from hyperseg_ros.runtime.model_file import find_model, read_card, verification_frames
from hyperseg_ros.runtime.resizing import fit_image

_STAGES = ("encoder", "context_head", "weight_mapper", *(f"decoder.levels.{n}" for n in range(6)))
_PUBLISHED = ("hyperseg-s-camvid", "hyperseg-m-cityscapes")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", default=["hyperseg-s-lite0-camvid"])
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to rehearse")
    parser.add_argument("--precision", nargs="+", default=["fp32", "fp16"])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--published", type=Path, metavar="CHECKOUT")
    options = parser.parse_args(argv)
    device = torch.device(options.device)
    for name in options.models:
        _measure(find_model(name), device, options.precision, options.repeats)
    if options.published is not None:
        for name in _PUBLISHED:
            _measure_published(options.published, name, device, options.repeats)
    return 0


@torch.inference_mode()
def _measure(path: Path, device: torch.device, precisions: Sequence[str], repeats: int) -> None:
    card, source = read_card(path), ModelSource.read(path, 1)
    height, width = card.input_size
    frame = fit_image(read_image(verification_frames()[1]), card.input_size)[None]
    print(f"\n### {card.name}, {height} x {width}\n")
    print("| precision | form | agreement with FP32 | eager | CUDA graph | torch.compile |")
    print("|---|---|---|---|---|---|", flush=True)
    expected, stages = None, []
    for precision, form in itertools.product(precisions, FORMS):
        graph = TorchGraph(source.graph(Derivation(precision, form))).to(device)
        run, labels = _transferring(graph, frame, device)
        run()
        _wait(device)
        expected = labels.numpy().copy() if expected is None else expected
        agreement = float(np.mean(labels.numpy() == expected))
        cells = [f"{milliseconds(run, device, repeats):.3f} ms"]
        for make in (captured, _compiled(graph, frame, device)):
            cells.append(_or_reason(lambda make=make, run=run: make(run), device, repeats))
        print(f"| {precision} | {form} | {agreement:.3%} | {' | '.join(cells)} |", flush=True)
        if device.type == "cuda":
            stages.append((precision, form, _stages(graph, frame, device)))
    if stages:
        print("\n| eager, by stage | " + " | ".join(f"{p}, {f}" for p, f, _ in stages) + " |")
        print("|---|" + "---|" * len(stages))
        for stage in stages[0][2]:
            times = " | ".join(f"{each.get(stage, 0.0):.3f} ms" for _, _, each in stages)
            print(f"| {stage} | {times} |", flush=True)


def _transferring(
    network: Callable[[Tensor], Sequence[Tensor]], frame: np.ndarray, device: torch.device
) -> tuple[Callable[[], None], Tensor]:
    """A frame's way from pinned memory and back, and the labels that it leaves there."""
    pinned = device.type == "cuda"
    image = torch.from_numpy(frame)
    image = image.pin_memory() if pinned else image
    results = [torch.zeros(frame.shape[:3], dtype=torch.uint8, pin_memory=pinned) for _ in range(2)]
    on_device = torch.zeros(frame.shape, dtype=torch.uint8, device=device)

    def run() -> None:
        on_device.copy_(image, non_blocking=True)
        for result, found in zip(results, network(on_device), strict=True):
            result.copy_(found, non_blocking=True)

    return run, results[0]


def _compiled(
    graph: TorchGraph, frame: np.ndarray, device: torch.device
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """What makes a run that goes through torch.compile, as a CUDA graph."""

    def make(_: Callable[[], None]) -> Callable[[], None]:
        run, _ = _transferring(torch.compile(graph), frame, device)
        run()
        return captured(run)

    return make


def _or_reason(make: Callable[[], Callable[[], None]], device: torch.device, repeats: int) -> str:
    """A time, or why there is none."""
    if device.type != "cuda":
        return "not on a CPU"
    try:
        return f"{milliseconds(make(), device, repeats):.3f} ms"
    except Exception as error:
        return f"none: {' '.join(str(error).split())[:80]}"


def _stages(graph: TorchGraph, frame: np.ndarray, device: torch.device) -> dict[str, float]:
    """Milliseconds of each part of the network, by events between its operators."""
    images = torch.from_numpy(frame).to(device)
    values = {name: getattr(graph, own) for name, own in graph.names.items()}
    totals: dict[str, float] = {}
    for _ in range(5):  # the last counts
        values[graph.input] = images
        events = []
        for stage, nodes in itertools.groupby(_with_stage(graph), key=lambda each: each[0]):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            for _, node in nodes:
                graph._run(node, values)
            end.record()
            events.append((stage, begin, end))
        torch.cuda.synchronize()
        totals = {}
        for stage, begin, end in events:
            totals[stage] = totals.get(stage, 0.0) + begin.elapsed_time(end)
    return totals


def _with_stage(graph: TorchGraph) -> Iterator[tuple[str, object]]:
    """Each operator and the part of the network that it is in: that of the last one with a name."""
    stage = "input"
    for node in graph.nodes:
        stage = next((each for each in _STAGES if node.name.startswith(each)), stage)
        yield stage, node


@torch.inference_mode()
def _measure_published(checkout: Path, name: str, device: torch.device, repeats: int) -> None:
    """The published code in FP16, and ours of the same weights."""
    from official import build_official, settle

    from hyperseg_ros.export.onnx_file import write_model_file
    from hyperseg_ros.network import VARIANTS, build

    variant = VARIANTS[name]
    ours = settle(build(name), (256, 256))
    published = build_official(checkout, name, ours).to(device)
    published = published.half() if device.type == "cuda" else published
    kind = next(published.parameters()).dtype
    image = torch.randn(1, 3, *variant.size, device=device, dtype=kind)
    print(f"\n### The published {name}\n")
    print(f"- eager: {milliseconds(lambda: published(image), device, repeats):.3f} ms")
    graph = _or_reason(lambda: captured(lambda: published(image)), device, repeats)
    print(f"- CUDA graph: {graph}", flush=True)
    card = untrained_card(name, variant.classes, variant.size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.onnx")
        write_model_file(path, ours.cpu(), card, 1)
        _measure(path, device, ["fp16"] if device.type == "cuda" else ["fp32"], repeats)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
