"""Speed and memory of a training step, and the decoder's share in it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hyperseg_ros import network
from hyperseg_ros.benchmark.peak_memory import peak_memory_mb
from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.runtime.memory import LARGEST_TENSOR, keep_freed_memory
from hyperseg_ros.training.config import LossConfig, OptimizerConfig
from hyperseg_ros.training.gradients import use_fast_gradients
from hyperseg_ros.training.losses import create_loss
from hyperseg_ros.training.module import create_optimizer
from hyperseg_ros.training.precision import choose_precision

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
_WARM_UP_STEPS = 2

_OFFICIAL: dict[str, Any] = {
    "levels": 2,
    "kernel_sizes": (1, 1, 1, 3, 3),
    "level_channels": [64, 32, 16, 16, 16],
    "expand_ratio": 2,
    "with_out_fc": False,
    "decoder_dropout": None,
    "weight_groups": [64, 32, 32, 16, 8],
}
"""The published configuration of HyperSeg-S CamVid, for `hyperseg_efficientnet`."""


@dataclass(frozen=True)
class Measurement:
    """Training steps in a process of their own.

    Attributes:
        seconds: of a step, median.
        decoder_share: of the decoder's forward and backward time in that of the network, 0-1; nan
            where it was not measured.
        peak_memory_mb: on a GPU the most that tensors took; else the process's largest resident
            memory, Python and libraries included.
        device: the hardware.
    """

    seconds: float
    decoder_share: float
    peak_memory_mb: float
    device: str


def native_precision() -> str:
    """The key of `PRECISIONS` that training is fastest in on this hardware."""
    return {"bf16-mixed": "bf16", "16-mixed": "fp16", "32-true": "fp32"}[
        choose_precision().precision
    ]


def measure(
    name: str,
    batch: int,
    size: tuple[int, int],
    steps: int,
    precision: str,
    official: bool = False,
    keep_memory: bool = True,
) -> Measurement:
    """Train on noise in this process.

    Args:
        name: a network of the zoo.
        batch: images a step.
        size: height and width of the images.
        steps: to measure, after some to warm up.
        precision: a key of `PRECISIONS`.
        official: train the published code's HyperSeg-S CamVid, which must be importable.
        keep_memory: let the process keep what it frees, as `hyperseg train` does.
    """
    if keep_memory:
        keep_freed_memory(LARGEST_TENSOR)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if official:
        model, classes = _official_network()
    else:
        model = network.build(name).to(memory_format=torch.channels_last)
        use_fast_gradients(model)
        classes = model.num_classes
    model = model.train().to(device)
    if official:
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(model.parameters())
    else:
        optimizer = create_optimizer(model, OptimizerConfig())
    images = torch.randn(batch, 3, *size, device=device)
    if not official:
        images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, classes, (batch, *size), device=device)
    labels[:, : size[0] // 20] = UNLABELLED
    loss_of = create_loss(LossConfig(name="bootstrapped"))
    dtype = PRECISIONS[precision]

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            logits = model(images)
        loss_of(logits, labels).backward()
        optimizer.step()

    for _ in range(_WARM_UP_STEPS):
        step()
    seconds = [_timed(step, device) for _ in range(steps)]
    shares = [] if official else [_decoder_share(model, step, device) for _ in range(steps)]
    return Measurement(
        float(np.median(seconds)),
        float(np.median(shares)) if shares else float("nan"),
        _peak_memory_mb(device),
        _device_name(device),
    )


def _official_network() -> tuple[nn.Module, int]:
    module = importlib.import_module("hyperseg.models.hyperseg_v1_0")
    model = module.hyperseg_efficientnet(
        "efficientnet-b1", pretrained=False, num_classes=12, out_feat_scale=0.25, **_OFFICIAL
    )
    return model, 12


def _timed(step: Callable[[], None], device: str) -> float:
    _wait(device)
    begin = time.perf_counter()
    step()
    _wait(device)
    return time.perf_counter() - begin


def _decoder_share(model: network.HyperSeg, step: Callable[[], None], device: str) -> float:
    """The share of the decoder's forward and backward time in that of the network, in one step.

    Autograd runs the nodes that were made last first. So the decoder's backward begins with the
    gradient of its output, and is over when the first of its weights' gradients leaves it; the
    network's is over with the gradient of its first convolution.
    """
    times: dict[str, float] = {}

    def mark(key: str) -> Callable[..., None]:
        def note(*_: object) -> None:
            _wait(device)
            times.setdefault(key, time.perf_counter())

        return note

    def watch_inputs(_: nn.Module, inputs: tuple[object, Sequence[Tensor], object]) -> None:
        for weight in inputs[1]:
            weight.register_hook(mark("backward ends"))
        mark("decoder begins")()

    def watch_output(_: nn.Module, __: object, output: Tensor) -> None:
        output.register_hook(mark("backward begins"))
        mark("decoder ends")()

    handles: list[Any] = [
        model.register_forward_pre_hook(mark("begins")),
        model.decoder.register_forward_pre_hook(watch_inputs),
        model.decoder.register_forward_hook(watch_output),
    ]
    handles.append(next(model.encoder.parameters()).register_hook(mark("ends")))
    step()
    for handle in handles:
        handle.remove()
    forward = times["decoder ends"] - times["decoder begins"]
    backward = times["backward ends"] - times["backward begins"]
    return (forward + backward) / (times["ends"] - times["begins"])


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _peak_memory_mb(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return peak_memory_mb()


def _device_name(device: str) -> str:
    return (
        torch.cuda.get_device_name()
        if device == "cuda"
        else f"{torch.get_num_threads()} CPU threads"
    )


def measure_apart(arguments: dict[str, Any], paths: Sequence[Path]) -> Measurement:
    """`measure` in a process of its own, so that memory is its own too."""
    code = (
        "import json, sys; from dataclasses import asdict; "
        "from hyperseg_ros.benchmark.training import measure; "
        "print('RESULT', json.dumps(asdict(measure(**json.loads(sys.argv[1])))))"
    )
    search = [str(path.resolve()) for path in paths]
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path[:0] = {[*search, root]!r}; {code}",
            json.dumps(arguments),
        ],
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ValueError(f"the training step failed: {reason}")
    return Measurement(**json.loads(lines[-1].removeprefix("RESULT ")))
