"""What is known of a CPU from Linux, and what its environment leaves of it."""

from types import SimpleNamespace

import pytest

from hyperseg_ros.runtime.backends import cpu

HASWELL = "fma avx2"
SKYLAKE_X = "fma avx2 avx512f avx512bw"
CASCADE_LAKE = f"{SKYLAKE_X} avx512_vnni"
COOPER_LAKE = f"{CASCADE_LAKE} avx512_bf16"
SAPPHIRE_RAPIDS = f"{COOPER_LAKE} avx_vnni avx512_fp16 amx_bf16 amx_tile amx_int8"
ARROW_LAKE = "fma avx2 avx_vnni avx_ne_convert"
ZEN_3, ZEN_4 = "fma avx2", f"{COOPER_LAKE} sse4a"
INTEL, AMD = "GenuineIntel", "AuthenticAMD"


@pytest.fixture
def pretend(monkeypatch):
    """Lets the machine have another x86-64 CPU, and oneDNN a limit."""

    def pretend_to_be(vendor, flags, limit=""):
        text = f"vendor_id\t: {vendor}\nmodel name\t: The CPU\nflags\t\t: fpu {flags}\n\n"
        others = "processor\t: 1\nvendor_id\t: Other\nflags\t\t: avx2\n"

        def read_text(path, **options):
            assert str(path) == "/proc/cpuinfo"
            return f"processor\t: 0\n{text}{others}"

        monkeypatch.setattr(cpu.Path, "read_text", read_text)
        monkeypatch.setattr(cpu.platform, "machine", lambda: "x86_64")
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)

    return pretend_to_be


@pytest.mark.parametrize(
    ("vendor", "flags", "limit", "expected"),
    [
        (INTEL, SAPPHIRE_RAPIDS, "", ("bf16", "fp32")),
        (INTEL, SAPPHIRE_RAPIDS, "ALL", ("bf16", "fp32")),
        (INTEL, SAPPHIRE_RAPIDS, "AVX512_CORE_AMX", ("bf16", "fp32")),
        (INTEL, SAPPHIRE_RAPIDS, "AVX512_CORE_FP16", ("fp32", "bf16")),
        (INTEL, SAPPHIRE_RAPIDS, "AVX10_1_512", ("fp32", "bf16")),
        (INTEL, SAPPHIRE_RAPIDS, "avx512_core_bf16", ("fp32", "bf16")),
        (INTEL, SAPPHIRE_RAPIDS, "AVX512_CORE_VNNI", ("fp32",)),
        (INTEL, COOPER_LAKE, "", ("fp32", "bf16")),
        (INTEL, COOPER_LAKE, "AVX2", ("fp32",)),
        (INTEL, CASCADE_LAKE, "", ("fp32",)),
        (INTEL, ARROW_LAKE, "", ("fp32",)),
        (AMD, ZEN_4, "", ("bf16", "fp32")),
        (AMD, ZEN_4, "AVX512_CORE_BF16", ("bf16", "fp32")),
        (AMD, ZEN_4, "AVX2_VNNI_2", ("fp32",)),
        (AMD, ZEN_3, "", ("fp32",)),
    ],
)
def test_the_faster_precision_comes_first(pretend, vendor, flags, limit, expected):
    openvino_backend = pytest.importorskip("hyperseg_ros.runtime.backends.openvino")
    found = ["BF16", "FP32"] if "avx512_bf16" in flags else ["FP32"]
    core = SimpleNamespace(get_property=lambda device, name: found)
    pretend(vendor, flags, limit)
    assert openvino_backend.cpu_precisions(core) == expected
    assert expected in openvino_backend._WHY_FIRST


@pytest.mark.parametrize(("capabilities", "first"), [(["FP32"], "fp32"), (["BF16"], "bf16")])
def test_other_cpus_run_in_what_openvino_reports(monkeypatch, capabilities, first):
    """ARM's, and those of which nothing can be read."""
    openvino_backend = pytest.importorskip("hyperseg_ros.runtime.backends.openvino")
    core = SimpleNamespace(get_property=lambda device, name: capabilities)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)

    def arm(path, **options):
        return "processor\t: 0\nFeatures\t: fp asimd bf16\nCPU implementer\t: 0x41\n"

    def nothing(path, **options):
        raise FileNotFoundError

    for read_text in (arm, nothing):
        monkeypatch.setattr(cpu.Path, "read_text", read_text)
        assert openvino_backend.cpu_precisions(core)[0] == first


@pytest.mark.parametrize(
    ("flags", "limit", "expected"),
    [
        (HASWELL, "", True),
        (SKYLAKE_X, "", True),
        (CASCADE_LAKE, "", False),
        (ARROW_LAKE, "", False),
        (ARROW_LAKE, "AVX2_VNNI_2", False),
        (ZEN_4, "", False),
        (ZEN_4, "AVX512_CORE", True),
        (ZEN_4, "avx2", True),
    ],
)
def test_bytes_are_added_in_16_bits_without_vnni(pretend, flags, limit, expected):
    pretend(AMD, flags, limit)
    assert cpu.cpu_name() == "The CPU"
    assert cpu.adds_bytes_in_16_bits() == expected
