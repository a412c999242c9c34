"""The decoder's tail fused: the last two meta blocks, the last resize, argmax and confidence.

    benchmarks/gpu/run tail                # on a GPU
    benchmarks/gpu/run tail --rehearse     # on a CPU, by Triton's interpreter

Three kernels in Triton. A meta block reads its inputs where they are: coordinates, the encoder's
features, and the level below, which it enlarges as it reads. What lies between its convolutions
never leaves the registers: the 1x1 in front of the depthwise convolution is computed anew for each
of the nine taps, which are few multiply-adds against many bytes. Random inputs, outputs that are
poisoned beforehand, and a reference in float64.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

from gpu.clock import captured, milliseconds


@triton.jit
def _reflected(position, side):
    position = tl.where(position < 0, -position, position)
    return tl.where(position >= side, 2 * (side - 1) - position, position)


@triton.jit
def _halved(position, side):
    """The two neighbours of a pixel in a map of half the size, and the second one's weight."""
    source = tl.maximum((position.to(tl.float32) + 0.5) * 0.5 - 0.5, 0.0)
    first = source.to(tl.int32)
    second = tl.minimum(first + 1, side - 1)
    return first, second, source - first.to(tl.float32)


@triton.jit
def _enlarged(below, channel, y, x, height, width, mask):
    """A map [C, height, width] at a pixel of twice the size, bilinear."""
    y0, y1, fy = _halved(y, height)
    x0, x1, fx = _halved(x, width)
    plane = below + channel * height * width
    a = tl.load(plane + y0 * width + x0, mask=mask, other=0.0).to(tl.float32)
    b = tl.load(plane + y0 * width + x1, mask=mask, other=0.0).to(tl.float32)
    c = tl.load(plane + y1 * width + x0, mask=mask, other=0.0).to(tl.float32)
    d = tl.load(plane + y1 * width + x1, mask=mask, other=0.0).to(tl.float32)
    top = a + (b - a) * fx
    return top + (c + (d - c) * fx - top) * fy


@triton.jit
def _meta_block(
    below, skip, weights, bias1, bias2, bias3, result,
    rows, columns, patch_height, patch_width,
    SKIP: tl.constexpr, IN: tl.constexpr, HIDDEN: tl.constexpr, OUT: tl.constexpr,
    IN_PAD: tl.constexpr, HIDDEN_PAD: tl.constexpr, OUT_PAD: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    patch = tl.program_id(0)
    height, width = rows * patch_height, columns * patch_width
    pixel = tl.program_id(1) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < patch_height * patch_width
    y = (patch // columns) * patch_height + pixel // patch_width
    x = (patch % columns) * patch_width + pixel % patch_width
    c = tl.arange(0, IN_PAD)[:, None]
    h = tl.arange(0, HIDDEN_PAD)
    o = tl.arange(0, OUT_PAD)
    mine = weights + patch * (HIDDEN * IN + HIDDEN * 9 + OUT * HIDDEN)
    expand = tl.load(
        mine + h[:, None] * IN + tl.arange(0, IN_PAD)[None, :],
        mask=(h[:, None] < HIDDEN) & (tl.arange(0, IN_PAD)[None, :] < IN),
        other=0.0,
    )
    b1 = tl.load(bias1 + h, mask=h < HIDDEN, other=0.0).to(tl.float32)
    total = tl.zeros((HIDDEN_PAD, PIXELS), tl.float32)
    for tap in range(9):
        ty = _reflected(y + tap // 3 - 1, height)[None, :]
        tx = _reflected(x + tap % 3 - 1, width)[None, :]
        coordinate = tl.where(c == 0, tx * 2.0 / (width - 1) - 1.0, ty * 2.0 / (height - 1) - 1.0)
        features = tl.load(
            skip + (c - 2) * height * width + ty * width + tx,
            mask=(c >= 2) & (c < 2 + SKIP) & inside[None, :],
            other=0.0,
        ).to(tl.float32)
        enlarged = _enlarged(
            below, c - 2 - SKIP, ty, tx, height // 2, width // 2,
            (c >= 2 + SKIP) & (c < IN) & inside[None, :],
        )  # fmt: skip
        values = tl.where(c < 2, coordinate, tl.where(c < 2 + SKIP, features, enlarged))
        values = tl.where(c < IN, values, 0.0).to(expand.dtype)
        hidden = tl.dot(expand, values, out_dtype=tl.float32) + b1[:, None]
        hidden = tl.minimum(tl.maximum(hidden, 0.0), 6.0)
        kernel = tl.load(mine + HIDDEN * IN + h * 9 + tap, mask=h < HIDDEN, other=0.0)
        total += hidden * kernel.to(tl.float32)[:, None]
    b2 = tl.load(bias2 + h, mask=h < HIDDEN, other=0.0).to(tl.float32)
    total = tl.minimum(tl.maximum(total + b2[:, None], 0.0), 6.0)
    project = tl.load(
        mine + HIDDEN * IN + HIDDEN * 9 + o[:, None] * HIDDEN + h[None, :],
        mask=(o[:, None] < OUT) & (h[None, :] < HIDDEN),
        other=0.0,
    )
    b3 = tl.load(bias3 + o, mask=o < OUT, other=0.0).to(tl.float32)
    scores = tl.dot(project, total.to(project.dtype), out_dtype=tl.float32) + b3[:, None]
    tl.store(
        result + o[:, None] * height * width + (y * width + x)[None, :],
        scores.to(result.dtype.element_ty),
        mask=(o[:, None] < OUT) & inside[None, :],
    )


@triton.jit
def _head(
    scores, labels, confidence, height, width,
    CLASSES: tl.constexpr, CLASSES_PAD: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < 4 * height * width
    y, x = pixel // (2 * width), pixel % (2 * width)
    k = tl.arange(0, CLASSES_PAD)[:, None]
    values = _enlarged(
        scores, k, y[None, :], x[None, :], height, width, (k < CLASSES) & inside[None, :]
    )
    values = tl.where(k < CLASSES, values, float("-inf"))
    best = tl.max(values, axis=0)
    label = tl.min(tl.where(values == best[None, :], k, CLASSES_PAD), axis=0)
    share = 1.0 / tl.sum(tl.exp(values - best[None, :]), axis=0)
    tl.store(labels + pixel, label.to(tl.uint8), mask=inside)
    tl.store(confidence + pixel, (share * 255.0 + 0.5).to(tl.uint8), mask=inside)


@dataclass(frozen=True)
class Level:
    """A meta block's inputs beside the level below, its weights, and its sizes."""

    skip: Tensor
    """The encoder's features, [Cs, H, W]."""
    weights: Tensor
    """Of each patch one after the other: 1x1, depthwise, 1x1, each output channel first, [P, K]."""
    biases: tuple[Tensor, Tensor, Tensor]
    """[hidden], [hidden], [out]."""
    grid: tuple[int, int]
    """Rows and columns of patches."""

    @property
    def channels(self) -> tuple[int, int, int]:
        """In, hidden, out."""
        hidden, out = len(self.biases[0]), len(self.biases[2])
        return (self.weights.shape[1] - 9 * hidden - out * hidden) // hidden, hidden, out


def fused(below: Tensor, level: Level, result: Tensor) -> None:
    """A meta block on `below`, [C, H / 2, W / 2], to `result`, [out, H, W]."""
    (rows, columns), (inputs, hidden, out) = level.grid, level.channels
    _, height, width = level.skip.shape
    patch = height // rows, width // columns
    pixels = 64
    programs = (rows * columns, triton.cdiv(patch[0] * patch[1], pixels))
    _meta_block[programs](
        below, level.skip, level.weights, *level.biases, result, rows, columns, *patch,
        SKIP=level.skip.shape[0], IN=inputs, HIDDEN=hidden, OUT=out,
        IN_PAD=_padded(inputs), HIDDEN_PAD=_padded(hidden), OUT_PAD=_padded(out), PIXELS=pixels,
    )  # fmt: skip


def fused_head(scores: Tensor, labels: Tensor, confidence: Tensor) -> None:
    """Scores, [classes, H, W], to labels and confidence, uint8 [2 H, 2 W]."""
    classes, height, width = scores.shape
    pixels = 256
    _head[(triton.cdiv(4 * height * width, pixels),)](
        scores, labels, confidence, height, width,
        CLASSES=classes, CLASSES_PAD=_padded(classes), PIXELS=pixels,
    )  # fmt: skip


def reference(below: Tensor, levels: Sequence[Level], kind: torch.dtype) -> tuple[Tensor, ...]:
    """Scores, labels and confidence by PyTorch's operators, in a precision."""
    x = below.to(kind)
    for level in levels:
        x = _reference_block(x, level, kind)
    enlarged = functional.interpolate(x[None], scale_factor=2, mode="bilinear")[0]
    share = torch.softmax(enlarged, 0).amax(0)
    return x, enlarged.argmax(0).to(torch.uint8), (share * 255 + 0.5).to(torch.uint8)


def _reference_block(below: Tensor, level: Level, kind: torch.dtype) -> Tensor:
    (rows, columns), (inputs, hidden, out) = level.grid, level.channels
    _, height, width = level.skip.shape
    h, w = height // rows, width // columns
    device = below.device
    xs = torch.linspace(-1, 1, width, dtype=kind, device=device).expand(height, width)
    ys = torch.linspace(-1, 1, height, dtype=kind, device=device)[:, None].expand(height, width)
    enlarged = functional.interpolate(below[None], scale_factor=2, mode="bilinear")[0]
    x = torch.cat((xs[None], ys[None], level.skip.to(kind), enlarged))
    padded = functional.pad(x[None], (1, 1, 1, 1), mode="reflect")[0]
    tiles = padded.unfold(1, h + 2, h).unfold(2, w + 2, w)  # [C, rows, columns, h + 2, w + 2]
    tiles = tiles.permute(1, 2, 0, 3, 4).reshape(rows * columns, inputs, -1)
    w1, k, w3 = level.weights.to(kind).split((hidden * inputs, 9 * hidden, out * hidden), 1)
    b1, b2, b3 = (bias.to(kind)[:, None] for bias in level.biases)
    y = (w1.reshape(-1, hidden, inputs) @ tiles + b1).clamp(0, 6)
    y = y.reshape(1, -1, h + 2, w + 2)
    y = functional.conv2d(y, k.reshape(-1, 1, 3, 3), groups=y.shape[1])
    y = (y.reshape(rows * columns, hidden, -1) + b2).clamp(0, 6)
    y = w3.reshape(-1, out, hidden) @ y + b3
    return y.reshape(rows, columns, out, h, w).permute(2, 0, 3, 1, 4).reshape(out, height, width)


def random_tail(
    grid: tuple[int, int], device: torch.device, kind: torch.dtype, seed: int = 0
) -> tuple[Tensor, list[Level]]:
    """Inputs of the size of Lite0's last two levels for a grid, which is 12 x 16 in Lite0."""
    make = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(*shape, generator=make) * scale).to(device, kind)

    rows, columns = grid
    levels = []
    for side, skip, below, out in ((8, 6, 16, 16), (16, 4, 16, 11)):
        inputs = 2 + skip + below
        hidden = 2 * inputs
        sizes = ((hidden * inputs, inputs), (9 * hidden, 9), (out * hidden, hidden))
        weights = [normal(rows * columns, n, scale=(2 / fan) ** 0.5) for n, fan in sizes]
        biases = (normal(hidden, scale=0.1), normal(hidden, scale=0.1), normal(out, scale=0.1))
        features = normal(skip, rows * side, columns * side)
        levels.append(Level(features, torch.cat(weights, 1).contiguous(), biases, grid))
    return normal(16, rows * 4, columns * 4), levels


def predicted_bytes(below: Tensor, levels: Sequence[Level]) -> int:
    """What the three kernels must move: inputs, weights and results, each once."""
    total, size = below.numel() * below.element_size(), below.element_size()
    for level in levels:
        out = level.channels[2] * level.skip[0].numel() * size
        total += (level.skip.numel() + level.weights.numel()) * size + 2 * out
    return total + 2 * 4 * levels[-1].skip[0].numel()


def main(argv: Sequence[str] | None = None) -> int:
    """Check the kernels, time them, and print what came of it; 1 where they are wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to rehearse")
    parser.add_argument("--grid", type=int, nargs=2, default=(12, 16), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args(argv)
    device, kind = torch.device(options.device), torch.float16
    below, levels = random_tail(tuple(options.grid), device, kind)
    middle, scores = (
        torch.full((level.channels[2], *level.skip.shape[1:]), float("nan"), dtype=kind).to(device)
        for level in levels
    )
    sides = [2 * side for side in scores.shape[1:]]
    labels, confidence = (torch.full(sides, 255, dtype=torch.uint8).to(device) for _ in range(2))

    def run() -> None:
        fused(below, levels[0], middle)
        fused(middle, levels[1], scores)
        fused_head(scores, labels, confidence)

    run()
    exact = reference(below, levels, torch.float64)
    error = float((scores.double() - exact[0]).abs().max() / exact[0].abs().max())
    agreement = float((labels == exact[1]).double().mean())
    sureness = int((confidence.int() - exact[2].int()).abs().max())
    right = error < 0.01 and agreement > 0.995
    print(f"\n### The fused tail of Lite0, grid {options.grid[0]} x {options.grid[1]}, FP16\n")
    print(f"- against float64: scores within {error:.2%} of the largest, {agreement:.3%} of the")
    print(f"  labels, confidence within {sureness} of 255: {'right' if right else '**WRONG**'}")
    print(f"- bytes that it must move: {predicted_bytes(below, levels) / 1e6:.2f} MB")
    if device.type == "cuda":
        unfused = captured(lambda: reference(below, levels, kind))
        labels.fill_(255)
        replay = captured(run)
        labels.fill_(255)
        replay()
        torch.cuda.synchronize()
        same = float((labels == exact[1]).double().mean())
        print(f"- replayed as a CUDA graph: {same:.3%} of the labels")
        for name, each in (("fused", replay), ("PyTorch's operators", unfused)):
            print(f"- {name}, CUDA graph: {milliseconds(each, device, options.repeats):.4f} ms")
    return 0 if right else 1


def _padded(channels: int) -> int:
    """Channels of a block of a product: a power of two, from 16 on."""
    return max(16, triton.next_power_of_2(channels))


if __name__ == "__main__":
    sys.exit(main())
