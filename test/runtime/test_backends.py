import errno
import os
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import models
from hyperseg_ros.runtime import backends
from hyperseg_ros.runtime.backends import (
    BackendError,
    Choice,
    EngineOptions,
    choose_backend,
    compiled_models,
    cuda,
    open_backend,
)
from hyperseg_ros.runtime.backends.tensorrt import backend as tensorrt_backend
from hyperseg_ros.runtime.backends.tensorrt import library
from hyperseg_ros.runtime.backends.tensorrt.cuda import Device
from hyperseg_ros.runtime.backends.tensorrt.library import Library
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, ModelFileError, read_card

INSTALLED_NAMES = backends.installed_backends()
INSTALLED = [
    pytest.param(name, marks=() if name in INSTALLED_NAMES else pytest.mark.skip("missing"))
    for name in ("openvino", "onnxruntime")
]


@pytest.fixture
def model(tmp_path):
    return models.write_palette_model(tmp_path / "model.onnx")


def noise(batch_size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (batch_size, 24, 32, 3), np.uint8)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("precision", ["auto", "fp32"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_results_are_the_models(tmp_path, name, precision, batch_size):
    model = models.write_palette_model(tmp_path / "model.onnx", batch=batch_size)
    backend = open_backend(name, model, precision=precision)
    assert backend.batch_size == batch_size
    assert " as asked" in backend.reason
    images = noise(batch_size)
    labels, confidence = backend.infer(images)
    expected_labels, expected_confidence = models.expected(images)
    assert labels.dtype == confidence.dtype == np.uint8
    assert np.array_equal(labels, expected_labels)
    assert np.array_equal(confidence, expected_confidence)
    assert backend.name == name
    assert backend.device
    assert backend.precision in ("fp32", "bf16")
    backend.close()


@pytest.mark.parametrize("name", INSTALLED)
def test_a_model_of_any_batch_takes_one_image(model, name):
    backend = open_backend(name, model)
    assert backend.batch_size == 1
    assert np.array_equal(backend.infer(noise(1))[0], models.expected(noise(1))[0])


@pytest.mark.parametrize("name", INSTALLED)
def test_a_later_call_leaves_earlier_results_alone(model, name):
    backend = open_backend(name, model)
    labels, confidence = backend.infer(noise(1, seed=1))
    backend.infer(noise(1, seed=2))
    expected_labels, expected_confidence = models.expected(noise(1, seed=1))
    assert np.array_equal(labels, expected_labels)
    assert np.array_equal(confidence, expected_confidence)


@pytest.mark.parametrize("name", INSTALLED)
def test_a_graph_the_backend_cannot_run_is_a_model_file_error(tmp_path, name):
    broken = models.with_an_operator_of_somebody_else(models.palette_model(models.card()))
    path = tmp_path / "model.onnx"
    onnx.save(broken, str(path))
    with pytest.raises(ModelFileError, match=r"cannot (compile|load) .*model.onnx: .*TheirOp"):
        open_backend(name, path)


def unusable(reason):
    def find_usable(gpu):
        raise BackendError(reason)

    return find_usable


def test_auto_is_tensorrt_where_it_is_usable(monkeypatch):
    orin = Device("Orin", (8, 7), 1 << 33, integrated=True)
    found = Library(types.ModuleType("tensorrt"), "TensorRT", "10.3.0")
    monkeypatch.setattr(library, "find_usable", lambda gpu: (found, orin))
    for name in ("auto", "tensorrt"):
        assert choose_backend(name) == Choice("tensorrt", "TensorRT 10.3.0 on the Orin")


def test_auto_says_why_it_is_the_cpu(monkeypatch):
    reason = "TensorRT 10.3.0 found, no CUDA device (no NVIDIA driver)"
    monkeypatch.setattr(library, "find_usable", unusable(reason))
    reason += "; onnxruntime-gpu is not installed"
    monkeypatch.setattr(backends, "_installed", lambda entry: True)
    assert choose_backend("auto") == Choice("openvino", f"{reason}: using OpenVINO on the CPU")
    monkeypatch.setattr(backends, "_installed", lambda entry: entry.package == "onnxruntime")
    assert choose_backend("auto") == Choice(
        "onnxruntime", f"{reason}: using ONNX Runtime on the CPU"
    )
    monkeypatch.setattr(backends, "_installed", lambda entry: False)
    with pytest.raises(BackendError, match="no CPU backend is installed: pip install openvino"):
        choose_backend("auto")
    with pytest.raises(BackendError, match="pip install onnxruntime"):
        choose_backend("onnxruntime")


def test_auto_is_cuda_where_tensorrt_is_not_usable(model, monkeypatch):
    monkeypatch.setattr(library, "find_usable", unusable("TensorRT is not installed"))
    monkeypatch.setattr(cuda, "describe_usable", lambda gpu: f"GPU {gpu}, ONNX Runtime 1.23")
    assert choose_backend("auto", gpu=1) == Choice("cuda", "GPU 1, ONNX Runtime 1.23")
    opened = []

    def create(path, **options):
        opened.append(options)
        return types.SimpleNamespace(name="cuda")

    monkeypatch.setattr(cuda, "CudaBackend", create)
    engines = EngineOptions(gpu=1)
    assert open_backend("auto", model, engines=engines).reason == "GPU 1, ONNX Runtime 1.23"
    assert opened == [{"options": engines, "precision": "auto", "batch_size": 1}]


def test_the_cpu_path_imports_nothing_of_a_gpu(model):
    program = f"""
import sys
from pathlib import Path
from hyperseg_ros.runtime.backends import open_backend
open_backend("onnxruntime", Path({str(model)!r}))
names = ("tensorrt", "cuda.bindings", "backends.cuda", "runtime.graphs", "verification")
print([module for module in sys.modules if any(name in module for name in names)])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_tensorrt_asked_for_does_not_become_a_cpu(model, monkeypatch):
    monkeypatch.setattr(library, "find_usable", unusable("TensorRT is not installed"))
    with pytest.raises(BackendError, match=r"^TensorRT is not installed$"):
        open_backend("tensorrt", model)


def test_auto_goes_to_the_cpu_when_the_engine_cannot_be_had(model, monkeypatch):
    orin = Device("Orin", (8, 7), 1 << 33, integrated=True)
    found = Library(types.ModuleType("tensorrt"), "TensorRT", "10.3.0")
    monkeypatch.setattr(library, "find_usable", lambda gpu: (found, orin))

    def refuse(*arguments, **options):
        raise BackendError("TensorRT 10.3.0 cannot build the engine: out of memory")

    monkeypatch.setattr(tensorrt_backend, "TensorRtBackend", refuse)
    said = []
    backend = open_backend("auto", model, engines=EngineOptions(notify=said.append))
    reason = backend.reason
    assert backend.name in ("openvino", "onnxruntime")
    trouble = "TensorRT 10.3.0 cannot build the engine: out of memory"
    assert reason.startswith(f"{trouble}; onnxruntime-gpu is not installed: using ")
    assert said == [f"tensorrt is not used: {trouble}"]
    with pytest.raises(BackendError, match=r"out of memory$"):
        open_backend("tensorrt", model)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("name", ["auto", *INSTALLED_NAMES])
def test_a_cpu_has_no_precision_of_a_gpu(model, monkeypatch, name, precision):
    monkeypatch.setattr(library, "find_usable", unusable("TensorRT is not installed"))
    with pytest.raises(BackendError, match=f"runs in fp32 or bf16 on a CPU, not {precision}"):
        open_backend(name, model, precision=precision)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("openvin", "did you mean openvino"),
        ("tensorr", "did you mean tensorrt"),
        ("rocm", "backends are auto, tensorrt, cuda, openvino, onnxruntime"),
        ("cuda", "onnxruntime-gpu is not installed"),
    ],
)
def test_a_backend_that_is_not_there(name, message):
    with pytest.raises(BackendError, match=message):
        choose_backend(name)


def test_options_out_of_range(model):
    for threads in (-1, 257):
        with pytest.raises(BackendError, match=f"to 256, not {threads}"):
            open_backend("auto", model, threads=threads)
    with pytest.raises(BackendError, match="precision must be one of auto, fp32, bf16"):
        open_backend("auto", model, precision="fp64")


PRECISIONS = """
import sys
from pathlib import Path
from hyperseg_ros.runtime.backends import open_backend
from hyperseg_ros.runtime.backends.cpu import has_slow_bf16
from hyperseg_ros.runtime.backends.openvino import cpu_precisions
for precision in ("auto", *cpu_precisions()):
    backend = open_backend("openvino", Path(sys.argv[1]), precision=precision)
    print(f"{precision}: {backend.precision}, {backend.reason}")
print(has_slow_bf16())
"""


def what_it_runs_in(model, limit=None):
    """`auto`'s line, then those of what can be asked for; and whether bfloat16 is slow."""
    pytest.importorskip("openvino")
    environment = {name: value for name, value in os.environ.items() if "CPU_ISA" not in name}
    if limit is not None:
        environment["ONEDNN_MAX_CPU_ISA"] = limit
    run = subprocess.run(
        [sys.executable, "-c", PRECISIONS, str(model)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    *lines, slow = run.stdout.splitlines()
    return lines, slow == "True"


@pytest.mark.parametrize("limit", ["AVX2", "avx2_vnni", "AVX2_VNNI_2"])
def test_instructions_that_the_environment_forbids_are_not_chosen(model, limit):
    """OpenVINO lists bfloat16 there too, and then fails to compile."""
    (auto, fp32), _ = what_it_runs_in(model, limit)
    no_bf16 = "fp32: the CPU has no bfloat16 instructions to use"
    assert auto == f"auto: fp32, OpenVINO as asked; {no_bf16}"
    assert fp32 == "fp32: fp32, OpenVINO as asked"


@pytest.mark.parametrize("limit", [None, "AVX512_CORE_BF16"])
def test_auto_takes_bf16_on_this_cpu_unless_it_is_missing_or_slow(model, limit):
    """What is not chosen can still be asked for, and gives no reason."""
    (auto, *named), slow = what_it_runs_in(model, limit)
    as_asked = {f"{each}: {each}, OpenVINO as asked" for each in ("bf16", "fp32")}
    missing = as_asked - set(named)
    assert missing in (set(), {"bf16: bf16, OpenVINO as asked"})
    expected = "fp32" if missing or slow else "bf16"
    assert auto.startswith(f"auto: {expected}, OpenVINO as asked; {expected}: ")
    assert ("slower than float32" in auto) == (slow and not missing)


def test_a_slow_bf16_is_not_chosen_and_the_reason_says_so(model, monkeypatch):
    openvino_backend = pytest.importorskip("hyperseg_ros.runtime.backends.openvino")
    monkeypatch.setattr(openvino_backend, "cpu_precisions", lambda core: ("fp32", "bf16"))
    backend = open_backend("auto", model, engines=on("cpu"))
    assert backend.precision == "fp32"
    assert backend.reason == (
        "the CPU as asked: using OpenVINO on the CPU; "
        "fp32: bfloat16 is slower than float32 on Intel CPUs without AMX"
    )
    assert open_backend("openvino", model, precision="fp32").reason == "OpenVINO as asked"


def test_onnx_runtime_has_no_bf16_on_a_cpu(model):
    pytest.importorskip("onnxruntime")
    with pytest.raises(BackendError, match="fp32 on a CPU, not bf16"):
        open_backend("onnxruntime", model, precision="bf16")


def endless(model):
    """The model, and a loop that runs a billion billion times before its labels are there."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["value", "value"], ["sum"]),
            helper.make_node("Identity", ["condition"], ["go_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n", 24, 32]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["n", 24, 32]),
        ],
    )
    nodes = {node.output[0]: node for node in model.graph.node}
    for name, value in (("trips", np.array(10**18)), ("true", np.array(True))):
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    nodes["confidence"].input[0] = "looped"
    loop = helper.make_node("Loop", ["trips", "true", "closeness"], ["looped"], body=body)
    model.graph.node.insert(len(model.graph.node) - 1, loop)
    return model


@pytest.mark.parametrize("name", INSTALLED)
def test_a_model_without_end_is_given_up(tmp_path, name):
    path = tmp_path / "endless.onnx"
    onnx.save(endless(models.palette_model(models.card())), str(path))
    program = f"""
from pathlib import Path
from hyperseg_ros.runtime import ModelFileError, backends
backends._LOADING_LIMIT = 3.0
try:
    backends.open_backend({name!r}, Path({str(path)!r}))
except ModelFileError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 2
    assert "has not loaded" in done.stdout, done.stderr
    assert "within 3 s" in done.stdout


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 10**6), st.integers(1, 255), st.sampled_from(INSTALLED_NAMES))
@example(2973, 128, INSTALLED_NAMES[0])  # a weight whose name is no UTF-8
def test_a_flipped_byte_gives_a_backend_or_one_line(model, place, flip, name):
    """Those bytes whose change the model's own checks let pass, too."""
    data = bytearray(model.read_bytes())
    data[place % len(data)] ^= flip
    path = model.with_name("flipped.onnx")
    path.write_bytes(data)
    try:
        read_card(path)
        open_backend(name, path, engines=on("auto", model.parent / "cache")).close()
    except (ModelFileError, BackendError) as error:
        assert "\n" not in str(error)  # noqa: PT017


def on(device, cache=None):
    return EngineOptions(cache, device=device)


@pytest.mark.parametrize("device", ["gpu", "npu"])
def test_a_device_that_is_named_and_missing_is_one_clear_error(model, device):
    openvino = pytest.importorskip("hyperseg_ros.runtime.backends.silent_openvino").openvino
    if any(name.startswith(device.upper()) for name in openvino.Core().available_devices):
        pytest.skip(f"there is a {device.upper()} here")
    for name in ("openvino", "auto"):
        with pytest.raises(BackendError, match=f"OpenVINO finds no {device.upper()} here, only"):
            open_backend(name, model, engines=on(device))
    with pytest.raises(BackendError, match=f"device {device} is OpenVINO's"):
        open_backend("onnxruntime", model, engines=on(device))
    with pytest.raises(BackendError, match="device must be one of auto, cpu, gpu, npu"):
        open_backend("auto", model, engines=on("tpu"))


def test_the_cpu_can_be_asked_for_where_there_is_a_gpu(model, monkeypatch):
    orin = Device("Orin", (8, 7), 1 << 33, integrated=True)
    found = Library(types.ModuleType("tensorrt"), "TensorRT", "10.3.0")
    monkeypatch.setattr(library, "find_usable", lambda gpu=0: (found, orin))
    backend = open_backend("auto", model, engines=on("cpu"))
    assert backend.name in INSTALLED_NAMES
    assert backend.reason.startswith("the CPU as asked: using ")


def test_auto_measures_a_gpu_against_the_cpu(model, monkeypatch):
    """The CPU stands for the GPU, which few machines have."""
    openvino_backend = pytest.importorskip("hyperseg_ros.runtime.backends.openvino")
    monkeypatch.setitem(openvino_backend._DEVICES, "gpu", "CPU")
    backend = open_backend("openvino", model)
    assert "ms on the GPU" in backend.details["device"]
    assert "100.00% of the labels equal" in backend.details["device"]
    assert backend.reason.startswith(f"OpenVINO as asked on {backend.details['device']}")
    labels, _ = backend.infer(noise(1))
    assert np.array_equal(labels, models.expected(noise(1))[0])
    monkeypatch.setattr(openvino_backend, "_AGREEMENT", 1.1)
    assert open_backend("openvino", model).details["device"].startswith("the CPU: ")


@pytest.mark.parametrize(
    ("device", "precision", "found"),
    [("gpu", "fp16", "fp16"), ("gpu", "auto", "fp16"), ("gpu", "fp32", "fp32")],
)
def test_a_gpu_of_intel_runs_in_its_own_precisions(model, monkeypatch, device, precision, found):
    """The CPU stands for the GPU, which few machines have."""
    openvino_backend = pytest.importorskip("hyperseg_ros.runtime.backends.openvino")
    monkeypatch.setitem(openvino_backend._DEVICES, "gpu", "CPU")
    backend = open_backend("openvino", model, precision=precision, engines=on(device))
    assert backend.precision == found
    with pytest.raises(BackendError, match="no bf16; use precision fp32"):
        open_backend("openvino", model, precision="bf16", engines=on(device))
    with pytest.raises(BackendError, match="not int8"):
        open_backend("openvino", model, precision="int8", engines=on(device))


def test_a_precision_of_the_cpu_is_run_on_the_cpu(model, monkeypatch):
    """Also where there is a GPU, which does not have it, and would be the faster."""
    openvino_backend = pytest.importorskip("hyperseg_ros.runtime.backends.openvino")
    if "bf16" not in openvino_backend.cpu_precisions():
        pytest.skip("no bfloat16 instructions here")
    monkeypatch.setitem(openvino_backend._DEVICES, "gpu", "CPU")
    monkeypatch.setattr(openvino_backend.OpenVinoBackend, "_faster", lambda *_: "gpu")
    assert open_backend("openvino", model, precision="bf16").precision == "bf16"


def test_what_openvino_compiles_is_kept_and_damage_to_it_does_no_harm(tmp_path):
    pytest.importorskip("openvino")
    model = models.write_palette_model(tmp_path / "model.onnx", batch=1)
    cache = tmp_path / "cache"
    for damage, verb in (
        (None, "compiled, and kept in"),
        (b"", "taken from"),
        (b"rubbish" * 1000, "compiled, and kept in"),
        (None, "compiled, and kept in"),
    ):
        backend = open_backend("openvino", model, engines=on("cpu", cache))
        assert backend.details["compiled model"] == f"{verb} {cache / 'openvino'}"
        labels, _ = backend.infer(noise(1))
        assert np.array_equal(labels, models.expected(noise(1))[0])
        blobs = list((cache / "openvino").rglob("*.blob"))
        assert blobs
        if damage is not None:
            for blob in blobs:
                blob.chmod(0o600)
                blob.write_bytes(damage)
    cache = tmp_path / "file"
    cache.write_text("in the way")
    backend = open_backend("openvino", model, engines=on("cpu", cache))
    assert backend.details["compiled model"].startswith("not kept: ")


def test_a_byte_that_changes_in_a_compiled_model_is_seen(tmp_path):
    """OpenVINO takes such a file for good, and its labels would be wrong."""
    pytest.importorskip("openvino")
    model = models.write_palette_model(tmp_path / "model.onnx", batch=1)
    open_backend("openvino", model, engines=on("cpu", tmp_path))
    (blob,) = (tmp_path / "openvino").rglob("*.blob")
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(content)
    again = open_backend("openvino", model, engines=on("cpu", tmp_path))
    assert again.details["compiled model"] == f"compiled, and kept in {tmp_path / 'openvino'}"
    last = open_backend("openvino", model, engines=on("cpu", tmp_path))
    assert last.details["compiled model"] == f"taken from {tmp_path / 'openvino'}"


def test_a_folder_that_openvino_cannot_write_to_is_told(tmp_path, monkeypatch):
    openvino_backend = pytest.importorskip("hyperseg_ros.runtime.backends.openvino")
    model = models.write_palette_model(tmp_path / "model.onnx", batch=1)
    nowhere = tmp_path / "nowhere"
    # As root may write anywhere, the folder is taken away where others would be refused.
    monkeypatch.setattr(openvino_backend, "drop_damaged", lambda folder: folder.rmdir())
    monkeypatch.setattr(openvino_backend, "seal", lambda folder, renew: False)
    backend = open_backend("openvino", model, engines=on("cpu", nowhere))
    assert backend.details["compiled model"].startswith(f"not kept: {nowhere / 'openvino'}")
    assert np.array_equal(backend.infer(noise(1))[0], models.expected(noise(1))[0])


def test_a_folder_that_cannot_be_locked_is_told(tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    model = models.write_palette_model(tmp_path / "model.onnx", batch=1)

    def refuse(file, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(compiled_models.fcntl, "flock", refuse)
    backend = open_backend("openvino", model, engines=on("cpu", tmp_path))
    assert backend.details["compiled model"].startswith("not kept: [Errno 37]")
    assert np.array_equal(backend.infer(noise(1))[0], models.expected(noise(1))[0])
    assert not list((tmp_path / "openvino").rglob("*.blob"))


def test_of_starts_at_the_same_time_one_compiles_and_the_others_take_that(tmp_path):
    pytest.importorskip("openvino")
    model = models.write_palette_model(tmp_path / "model.onnx", batch=1)

    def start(_):
        return open_backend("openvino", model, precision="fp32", engines=on("cpu", tmp_path))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(start, range(4)))
    folder = tmp_path / "openvino"
    said = sorted(backend.details["compiled model"] for backend in found)
    assert said == [f"compiled, and kept in {folder}"] + [f"taken from {folder}"] * 3
    for backend in found:
        assert np.array_equal(backend.infer(noise(1))[0], models.expected(noise(1))[0])


def test_what_openvino_compiles_anew_under_the_same_name_is_taken_at_the_next_start(
    tmp_path, monkeypatch
):
    """As where it finds what it kept unfit, and replaces it."""
    openvino_backend = pytest.importorskip("hyperseg_ros.runtime.backends.openvino")
    model = models.write_palette_model(tmp_path / "model.onnx", batch=1)
    folder = tmp_path / "openvino"
    open_backend("openvino", model, engines=on("cpu", tmp_path))
    (kept,), (note,) = folder.rglob("*.blob"), folder.rglob("*.crc32")
    kept.unlink()
    note.write_text("00000000")
    with monkeypatch.context() as patch:
        patch.setattr(openvino_backend, "drop_damaged", lambda folder: None)
        again = open_backend("openvino", model, engines=on("cpu", tmp_path))
    assert again.details["compiled model"] == f"compiled, and kept in {folder}"
    assert list(folder.rglob("*.blob")) == [kept]
    last = open_backend("openvino", model, engines=on("cpu", tmp_path))
    assert last.details["compiled model"] == f"taken from {folder}"


def test_a_second_start_takes_what_the_first_compiled(tmp_path):
    pytest.importorskip("openvino")
    model = models.write_palette_model(tmp_path / "model.onnx", batch=1)
    first, second = (
        open_backend("openvino", model, precision="fp32", engines=on("cpu", tmp_path))
        for _ in range(2)
    )
    folder = tmp_path / "openvino"
    assert first.details["compiled model"] == f"compiled, and kept in {folder}"
    assert second.details["compiled model"] == f"taken from {folder}"
    labels, _ = second.infer(noise(1))
    assert np.array_equal(labels, models.expected(noise(1))[0])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a single CPU")
def test_openvinos_threads_may_run_on_any_cpu():
    """Pinned, those of two processes would share the first CPUs."""
    pytest.importorskip("openvino")
    program = (
        "import os, sys\n"
        "import numpy as np\n"
        "from hyperseg_ros.runtime import Segmenter\n"
        "with Segmenter.open(sys.argv[1], 'openvino', threads=2) as segmenter:\n"
        "    segmenter(np.zeros((384, 512, 3), np.uint8))\n"
        "    own = os.sched_getaffinity(0)\n"
        "    tasks = [int(name) for name in os.listdir('/proc/self/task')]\n"
        "    print(len(tasks), all(os.sched_getaffinity(task) == own for task in tasks))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, DEFAULT_MODEL], capture_output=True, text=True, check=True
    )
    assert result.stdout.split()[-1] == "True"
