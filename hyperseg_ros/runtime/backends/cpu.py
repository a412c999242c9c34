"""What the CPU is called, and what it can."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_WITHOUT_VNNI = {"SSE41", "AVX", "AVX2", "AVX512_CORE"}
"""Limits of oneDNN's variable that leave out the instructions for INT8."""
_WITHOUT_BF16 = _WITHOUT_VNNI | {"AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE_VNNI"}
"""Limits of oneDNN's variable that leave out the instructions for bfloat16."""
_WITHOUT_AMX = _WITHOUT_BF16 | {"AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10_1_512"}
"""Limits of oneDNN's variable that leave out AMX."""
_VNNI = {"avx_vnni", "avx512_vnni", "amx_int8"}


def cpu_name() -> str:
    """The CPU as its maker calls it; the architecture where Linux does not say."""
    return _cpu_info().get("model name") or platform.machine()


def adds_bytes_in_16_bits() -> bool:
    """Whether products of bytes are added in 16 bits, as x86-64 does without VNNI."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    if _limit() in _WITHOUT_VNNI:
        return True
    return not _VNNI & _flags()


def may_use_bf16() -> bool:
    """Whether the environment leaves oneDNN the instructions for bfloat16, if the CPU has them."""
    return _limit() not in _WITHOUT_BF16


def has_slow_bf16() -> bool:
    """Whether instructions for bfloat16 that the CPU may have are slower than float32's.

    So it is on Intel's CPUs without AMX, or where the environment leaves it out: there a matrix
    product in bfloat16 runs at 0.55 to 0.6 of the rate of float32. On AMD's Zen 4 it is faster.
    """
    if _cpu_info().get("vendor_id") != "GenuineIntel":
        return False
    return _limit() in _WITHOUT_AMX or "amx_bf16" not in _flags()


def _limit() -> str:
    """The instructions that oneDNN, and OpenVINO with it, is limited to; empty for no limit."""
    return os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()


def _flags() -> set[str]:
    """The instruction sets of an x86-64 CPU by Linux's names; empty for others."""
    return set(_cpu_info().get("flags", "").split())


def _cpu_info() -> dict[str, str]:
    """The first processor's entries of /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}
