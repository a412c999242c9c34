"""From a model file to results: precision, cache, recovery, on a GPU in software."""

import itertools
import re
import sys
import threading
from dataclasses import replace

import numpy as np
import onnx
import pytest

import models

pytest.importorskip("onnxruntime")
pytest.importorskip("tensorrt_rtx_bindings")
pytest.importorskip("cuda.bindings")
from software_gpu import (
    DEVICE,
    ILLEGAL_ADDRESS,
    NOT_SUPPORTED,
    OUT_OF_MEMORY,
    SoftwareDriver,
    SoftwareTensorRt,
)

from hyperseg_ros.runtime.backends.base import (
    BackendError,
    BackendLostError,
    DeviceLostError,
    EngineOptions,
    InferenceError,
)
from hyperseg_ros.runtime.backends.derivation import ModelSource
from hyperseg_ros.runtime.backends.tensorrt.backend import TensorRtBackend, open_engines
from hyperseg_ros.runtime.backends.tensorrt.cache import CacheMiss
from hyperseg_ros.runtime.backends.tensorrt.cuda import CudaError
from hyperseg_ros.runtime.backends.tensorrt.execution import Execution
from hyperseg_ros.runtime.graphs.forms import FORMS

pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")


class Gpu:
    """A software GPU, what is said while it is used, and backends on it."""

    def __init__(self, folder, integrated=False):
        self.driver = SoftwareDriver(integrated)
        self.device = replace(DEVICE, integrated=integrated)
        self.trt = SoftwareTensorRt(self.driver, models.palette_model(models.card()))
        self.cache = folder / "engines"
        self.said = []
        self.model = models.write_palette_model(folder / "model.onnx")

    def backend(self, **changes):
        options = EngineOptions(cache=self.cache, notify=self.said.append)
        self.trt.batch = changes.get("batch_size", 1)
        return TensorRtBackend(
            self.model,
            options=options,
            platform=(self.trt.library(), self.device),
            driver=self.driver,
            **changes,
        )

    def engines(self):
        return sorted(self.cache.glob("*.engine"))


@pytest.fixture
def gpu(tmp_path):
    return Gpu(tmp_path)


def noise(batch=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (batch, 24, 32, 3), np.uint8)


@pytest.mark.parametrize("batch", [1, 4])
def test_results_are_the_models(gpu, batch):
    backend = gpu.backend(batch_size=batch)
    labels, confidence = backend.infer(noise(batch))
    expected_labels, expected_confidence = models.expected(noise(batch))
    assert np.array_equal(labels, expected_labels)
    assert np.array_equal(confidence, expected_confidence)
    assert backend.precision == "fp16"
    assert backend.device.startswith("Software, TensorRT-RTX ")
    assert set(backend.details) == {
        *("engine", "engine cache", "engine memory", "buffers", "CUDA graph")
    }
    assert backend.details["engine"].startswith("fp16, product form, ")
    assert backend.details["engine"].endswith("100.00% of the labels equal ONNX Runtime's")
    backend.close()
    assert not gpu.driver.live


def test_the_first_start_builds_and_says_so_the_second_loads(gpu):
    gpu.backend().close()
    assert "no engine in the cache yet: building one (fp16, product form) with" in gpu.said[0]
    assert gpu.said[-1].startswith("engine built in ")
    (engine,) = gpu.engines()
    written = engine.stat().st_mtime_ns
    gpu.said.clear()
    backend = gpu.backend()
    assert gpu.said == [f"engine from the cache, {engine}"]
    assert backend.details["engine cache"] == f"from the cache, {engine}"
    assert engine.stat().st_mtime_ns == written


def test_another_model_or_precision_or_batch_is_another_engine(gpu):
    gpu.backend().close()
    gpu.backend(precision="fp32").close()
    gpu.backend(batch_size=2).close()
    assert len(gpu.engines()) == 3
    changed = onnx.load(str(gpu.model))
    changed.doc_string = "another file"
    onnx.save(changed, str(gpu.model))
    gpu.backend().close()
    assert len(gpu.engines()) == 4


def test_a_damaged_engine_is_said_and_rebuilt(gpu):
    gpu.backend().close()
    (engine,) = gpu.engines()
    whole = engine.read_bytes()
    engine.write_bytes(whole[:-10])
    gpu.said.clear()
    gpu.backend().close()
    assert "is cut short" in gpu.said[0]
    assert "building one" in gpu.said[0]
    assert len(engine.read_bytes()) > len(whole) - 10


def test_an_engine_that_does_not_load_is_rebuilt(gpu, monkeypatch):
    gpu.backend().close()
    loads = iter([None])
    load = gpu.trt.deserialize_cuda_engine

    def first_fails(engine):
        return next(loads, load(engine))

    monkeypatch.setattr(gpu.trt, "deserialize_cuda_engine", first_fails)
    gpu.said.clear()
    backend = gpu.backend()
    assert "the engine does not load" in gpu.said[0]
    assert backend.details["engine cache"].startswith("built in ")


def test_without_a_cache_the_engine_lives_in_memory(gpu):
    gpu.cache.parent.joinpath("engines").write_text("a file in the way")
    backend = gpu.backend()
    assert np.array_equal(backend.infer(noise())[0], models.expected(noise())[0])
    assert backend.details["engine cache"].endswith("not kept")
    (warning,) = (text for text in gpu.said if "cannot write" in text)
    assert "set engine_cache or XDG_CACHE_HOME to a folder that you own" in warning


def test_a_disk_that_fills_up_costs_only_the_cache(gpu, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    backend = gpu.backend()
    monkeypatch.undo()
    assert np.array_equal(backend.infer(noise())[0], models.expected(noise())[0])
    assert any("No space left on device: the next start will build" in text for text in gpu.said)
    assert not gpu.engines()


def test_two_that_start_together_build_once(gpu):
    together = threading.Barrier(2)
    origins = []

    def start():
        together.wait(10)
        origins.append(gpu.backend().details["engine cache"].split()[0])

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(origins) == ["built", "from"]


@pytest.mark.parametrize("status", [OUT_OF_MEMORY, NOT_SUPPORTED])
def test_one_error_in_flight_costs_a_frame_and_a_second_the_backend(gpu, status):
    backend = gpu.backend()
    gpu.driver.failing["cuEventSynchronize"] = [status]
    with pytest.raises(InferenceError, match=f"{status.name}.*the frame is lost, the engine is"):
        backend.infer(noise())
    assert np.array_equal(backend.infer(noise())[0], models.expected(noise())[0])
    gpu.driver.failing["cuEventSynchronize"] = [status]
    with pytest.raises(
        BackendLostError, match=f"{status.name}.*again after the engine was reloaded"
    ):
        backend.infer(noise())
    with pytest.raises(BackendLostError, match="reconfigure"):
        backend.infer(noise())
    assert not gpu.driver.live


def test_an_error_that_cuda_does_not_recover_from_loses_the_device_at_once(gpu):
    backend = gpu.backend()
    loaded = gpu.trt.loaded
    gpu.driver.failing["cuEventSynchronize"] = [ILLEGAL_ADDRESS]
    with pytest.raises(DeviceLostError, match=r"lost to this process: .*ILLEGAL_ADDRESS"):
        backend.infer(noise())
    assert gpu.trt.loaded == loaded, "loading again cannot help"
    assert not gpu.driver.live


def test_a_device_that_does_not_come_back_is_lost(gpu):
    backend = gpu.backend()
    gpu.driver.failing["cuEventSynchronize"] = [OUT_OF_MEMORY]
    gpu.driver.failing["cuMemHostAlloc"] = [OUT_OF_MEMORY]
    with pytest.raises(BackendLostError, match="cannot be reloaded"):
        backend.infer(noise())


def test_execution_that_tensorrt_refuses_is_recovered_from(gpu):
    backend = gpu.backend()
    backend._execution._replay = None
    gpu.trt.runs = False
    with pytest.raises((InferenceError, BackendLostError), match="the engine does not run"):
        backend.infer(noise())


def test_fifty_times_configured_and_cleaned_up(gpu):
    for _ in range(50):
        backend = gpu.backend()
        backend.infer(noise())
        backend.close()
        assert not gpu.driver.live
    assert len(gpu.engines()) == 1


def test_an_engine_that_gives_other_labels_is_not_used_and_not_built_again(gpu):
    gpu.trt.wrong = 1
    backend = gpu.backend()
    assert np.array_equal(backend.infer(noise())[0], models.expected(noise())[0])
    assert backend.details["engine"].startswith("fp16, convolution form, ")
    (refused,) = (text for text in gpu.said if "is refused" in text)
    assert re.search(r"\(fp16, product form\) is refused: only \d\d\.\d% of its labels", refused)
    assert "98% must be" in refused
    backend.close()
    gpu.said.clear()
    again = gpu.backend()
    assert again.details["engine"].startswith("fp16, convolution form, ")
    assert not any("building" in text for text in gpu.said)


def test_where_every_engine_gives_other_labels_there_is_none(gpu):
    gpu.trt.wrong = 4
    with pytest.raises(BackendError, match=r"fp16, product.*fp16, conv.*fp32, product.*fp32, conv"):
        gpu.backend()
    assert not gpu.driver.live


@pytest.mark.parametrize("call", ["cuMemAlloc", "cuEventSynchronize"])
def test_an_engine_that_makes_cuda_fail_for_good_is_left_out_by_the_next_process(gpu, call):
    gpu.driver.failing[call] = [ILLEGAL_ADDRESS]
    with pytest.raises(DeviceLostError, match="lost to this process"):
        gpu.backend()
    assert not gpu.driver.live
    gpu.said.clear()
    backend = gpu.backend()
    assert backend.details["engine"].startswith("fp16, convolution form, ")
    assert "(fp16, product form) is refused: CUDA failed for good while it ran" in gpu.said[0]


def test_a_contest_that_everybody_loses_goes_on_with_fp32(gpu):
    options = EngineOptions(cache=gpu.cache, notify=gpu.said.append)
    engines = open_engines(gpu.model, 1, options, (gpu.trt.library(), DEVICE), gpu.driver)
    gpu.trt.wrong = 3
    trials = engines.contest("auto")
    assert trials[0].derivation == ("fp32", "convolution")
    assert not trials[0].trouble
    assert all("is refused" in trial.trouble for trial in trials[1:])
    assert gpu.backend().details["engine"].startswith("fp32, convolution form, ")


def test_without_onnxruntime_no_engine_is_used(gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "hyperseg_ros.runtime.backends.onnxruntime", None)
    with pytest.raises(BackendError, match="onnxruntime is not installed, and nothing compiled"):
        gpu.backend()


@pytest.mark.parametrize("faster", [False, True])
def test_buffers_on_shared_memory_are_the_faster_kind(tmp_path, monkeypatch, faster):
    gpu = Gpu(tmp_path, integrated=True)
    times = {faster: 1.0, not faster: 2.0}
    monkeypatch.setattr(Execution, "milliseconds", lambda run: times[run._mapped])
    for _ in range(2):  # as built, and as kept
        backend = gpu.backend()
        assert backend.details["buffers"] == ("shared with the CPU" if faster else "pinned, copied")
        backend.close()
    assert not gpu.driver.live


def test_buffers_that_fail_leave_the_engine_to_the_others(tmp_path, monkeypatch):
    gpu = Gpu(tmp_path, integrated=True)
    measure = Execution.milliseconds

    def milliseconds(run):
        if run._mapped:
            raise CudaError("cuEventSynchronize", OUT_OF_MEMORY.name, "no memory")
        return measure(run)

    monkeypatch.setattr(Execution, "milliseconds", milliseconds)
    backend = gpu.backend()
    assert backend.details["buffers"] == "pinned, copied"
    backend.close()
    assert not gpu.driver.live


def test_the_kernels_of_tensorrt_rtx_are_kept(gpu):
    gpu.backend().close()
    assert gpu.trt.kernels == []
    gpu.backend().close()
    assert gpu.trt.kernels == [b"kernels for the device"]


@pytest.mark.parametrize("fastest", list(itertools.product(("fp16",), FORMS)))
def test_the_fastest_of_a_contest_is_what_a_start_takes(gpu, monkeypatch, fastest):
    library = gpu.trt.library()
    options = EngineOptions(cache=gpu.cache, notify=gpu.said.append)
    engines = open_engines(gpu.model, 1, options, (library, DEVICE), gpu.driver)
    times = iter([2.0, 1.0] if fastest[1] == FORMS[1] else [1.0, 2.0])
    monkeypatch.setattr(Execution, "milliseconds", lambda _: next(times))
    with pytest.raises(CacheMiss):
        engines.find("auto")
    trials = engines.contest("auto")
    assert trials[0].derivation == fastest
    assert [trial.findings.milliseconds for trial in trials] == [1.0, 2.0]
    key, findings = engines.find("auto")
    assert (key.precision, key.form) == fastest
    assert findings.milliseconds == 1.0
    # Nothing is built or timed again.
    assert [trial.derivation for trial in engines.contest("auto")] == [
        trial.derivation for trial in trials
    ]
    backend = gpu.backend()
    assert backend.details["engine"].startswith("{}, {} form, 1.00 ms".format(*fastest))


def test_a_contest_says_what_lost_and_why(gpu, monkeypatch):
    options = EngineOptions(cache=gpu.cache, notify=gpu.said.append)
    engines = open_engines(gpu.model, 1, options, (gpu.trt.library(), DEVICE), gpu.driver)
    gpu.trt.wrong = 1
    first, second = engines.contest("fp32")
    assert first.derivation == ("fp32", "convolution")
    assert second.derivation == ("fp32", "product")
    assert "is refused: only" in second.trouble
    monkeypatch.setattr(gpu.trt, "loads", False)
    gpu.cache.joinpath(engines.key(first.derivation).file_name()).unlink()
    assert all(trial.trouble for trial in engines.contest("fp32"))


def test_int8_is_never_taken_unmeasured(tmp_path):
    source = ModelSource(tmp_path / "model.onnx", 1, quantized=True, sha256="")
    assert {found.precision for found in source.derivations("auto")} == {"fp16", "fp32"}
    assert [found.precision for found in source.contest("auto")] == ["fp16"] * 2 + ["int8"] * 2
    assert {found.precision for found in source.derivations("int8")} == {"int8"}
    assert source.required == 0.95


def test_a_model_of_fixed_batch_says_how_to_get_another(gpu, tmp_path):
    gpu.model = models.write_palette_model(tmp_path / "fixed.onnx", batch=1)
    with pytest.raises(BackendError, match=r"batches of 1, not 4: `hyperseg export --batch 4`"):
        gpu.backend(batch_size=4)


def test_int8_needs_a_model_with_an_int8_encoder(gpu):
    with pytest.raises(BackendError, match=r"no INT8 encoder: .*--precision int8 --calibrate"):
        gpu.backend(precision="int8")
    with pytest.raises(BackendError, match="a GPU runs in fp32, fp16, int8, not bf16"):
        gpu.backend(precision="bf16")


def test_a_model_that_tensorrt_rejects_names_the_node(gpu):
    broken = models.with_an_operator_of_somebody_else(models.palette_model(models.card()))
    onnx.save(broken, str(gpu.model))
    with pytest.raises(BackendError, match=r"cannot take the model: node .*TheirOperator"):
        gpu.backend(precision="fp32")
