"""The arithmetic of a training step: what the hardware has instructions for.

A CPU without bfloat16 instructions emulates them: 54 s per step instead of 3.3 s in
float32, measured on 2 cores with AVX2 alone. On Intel's CPUs without AMX, where inference is faster
in float32, a step in bfloat16 takes 0.86 to 1.0 of the time and 0.6 of the memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import torch

Precision = Literal["bf16-mixed", "16-mixed", "32-true"]
"""Lightning's names of the arithmetics."""

_CPU_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""How Linux calls bfloat16 arithmetic in /proc/cpuinfo: on x86-64 the first two, else on ARM."""


class Choice(NamedTuple):
    """A precision, and why it is the right one here."""

    precision: Precision
    reason: str


def choose_precision() -> Choice:
    """The fastest precision that this machine's GPU, or else its CPU, has instructions for."""
    if torch.cuda.is_available():
        return _choose_for_gpu(torch.cuda.get_device_name(), torch.cuda.get_device_capability())
    flag = next((flag for flag in _CPU_FLAGS if flag in cpu_flags()), None)
    if flag is None:
        return Choice("32-true", "the CPU has no bfloat16 instructions")
    return Choice("bf16-mixed", f"the CPU has bfloat16 instructions ({flag})")


def emulation_warning(precision: str) -> str:
    """A warning about a precision that this machine has to emulate; empty if it need not."""
    best = choose_precision()
    if precision != "bf16-mixed" or best.precision == "bf16-mixed":
        return ""
    return (
        f"warning: {best.reason}: bf16-mixed is emulated, which took 16 times as long on a CPU "
        f"with AVX2 alone; precision={best.precision} is the fastest here"
    )


def cpu_flags() -> frozenset[str]:
    """The instruction sets of this machine's CPU by Linux's names; empty where it doesn't say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    found = (line.partition(":") for line in lines)
    flags = (values for key, _, values in found if key.strip() in ("flags", "Features"))
    return frozenset(next(flags, "").split())


def _choose_for_gpu(name: str, capability: tuple[int, int]) -> Choice:
    if capability >= (8, 0):
        return Choice("bf16-mixed", f"the {name} has bfloat16 instructions")
    if capability >= (7, 0):
        return Choice("16-mixed", f"the {name} has fast float16, and no bfloat16 instructions")
    return Choice("32-true", f"the {name} has neither bfloat16 nor fast float16 instructions")
