"""The arithmetic of a run is what the hardware has instructions for, and a slow one is told."""

import pytest
import torch

from hyperseg_ros.training import precision
from hyperseg_ros.training.precision import choose_precision, cpu_flags, emulation_warning


@pytest.fixture
def cpu(monkeypatch):
    """Lets the machine be one with no GPU, and a CPU of these instruction sets."""

    def pretend(*flags):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset(flags))

    return pretend


@pytest.mark.parametrize(
    ("flags", "expected", "reason"),
    [
        (("sse4_2", "avx2", "fma"), "32-true", "no bfloat16 instructions"),
        (("avx2", "avx512f", "avx512_vnni"), "32-true", "no bfloat16 instructions"),
        (("avx512f", "avx512_bf16"), "bf16-mixed", "(avx512_bf16)"),
        (("amx_bf16", "amx_tile"), "bf16-mixed", "(amx_bf16)"),
        (("asimd", "bf16"), "bf16-mixed", "(bf16)"),
        (("fp", "asimd"), "32-true", "no bfloat16 instructions"),
        ((), "32-true", "no bfloat16 instructions"),
    ],
)
def test_a_cpu_trains_in_bfloat16_where_it_has_it(cpu, flags, expected, reason):
    cpu(*flags)
    choice = choose_precision()
    assert choice.precision == expected
    assert reason in choice.reason


def test_emulated_bfloat16_is_warned_of(cpu):
    cpu("avx2")
    warning = emulation_warning("bf16-mixed")
    assert "bf16-mixed is emulated" in warning
    assert "precision=32-true is the fastest here" in warning
    assert emulation_warning("32-true") == ""
    cpu("avx512_bf16")
    assert emulation_warning("bf16-mixed") == ""


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((6, 1), "32-true"), ((7, 2), "16-mixed"), ((7, 5), "16-mixed"), ((8, 7), "bf16-mixed")],
)
def test_a_gpu_goes_before_the_cpu(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Orin")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    choice = choose_precision()
    assert choice.precision == expected
    assert "Orin" in choice.reason


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "processor\t: 0\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: sse\n",
            {"fpu", "avx2"},
        ),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\nCPU part\t: 1\n", {"fp", "asimd", "bf16"}),
        ("processor\t: 0\nvmx flags\t: ept\n", set()),
        ("", set()),
        (FileNotFoundError(), set()),
    ],
)
def test_the_cpu_says_its_instruction_sets(monkeypatch, content, expected):
    def read_text(path, **options):
        assert str(path) == "/proc/cpuinfo"
        if isinstance(content, OSError):
            raise content
        return content

    monkeypatch.setattr(precision.Path, "read_text", read_text)
    assert cpu_flags() == expected
