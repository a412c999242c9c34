"""From a model file to results: precision, cache, recovery, on a GPU in software."""

import threading

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
    OUT_OF_MEMORY,
    SoftwareDriver,
    SoftwareTensorRt,
)

from hyperseg_ros.runtime.backends.base import (
    BackendError,
    BackendLostError,
    EngineOptions,
    InferenceError,
)
from hyperseg_ros.runtime.backends.tensorrt.backend import TensorRtBackend

pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")


class Gpu:
    """A software GPU, what is said while it is used, and backends on it."""

    def __init__(self, folder):
        self.driver = SoftwareDriver()
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
            platform=(self.trt.library(), DEVICE),
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
    assert set(backend.details) == {"engine cache", "engine memory", "buffers", "CUDA graph"}
    backend.close()
    assert not gpu.driver.live


def test_the_first_start_builds_and_says_so_the_second_loads(gpu):
    gpu.backend().close()
    assert "no engine in the cache yet: building one with TensorRT-RTX" in gpu.said[0]
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


def test_a_damaged_engine_is_said_and_built_anew(gpu):
    gpu.backend().close()
    (engine,) = gpu.engines()
    whole = engine.read_bytes()
    engine.write_bytes(whole[:-10])
    gpu.said.clear()
    gpu.backend().close()
    assert "is cut short" in gpu.said[0]
    assert "building one" in gpu.said[0]
    assert len(engine.read_bytes()) == len(whole)


def test_an_engine_that_does_not_load_is_built_anew(gpu, monkeypatch):
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


@pytest.mark.parametrize("status", [OUT_OF_MEMORY, ILLEGAL_ADDRESS])
def test_one_error_in_flight_costs_a_frame_and_a_second_the_backend(gpu, status):
    backend = gpu.backend()
    gpu.driver.failing["cuEventSynchronize"] = [status]
    with pytest.raises(InferenceError, match=f"{status.name}.*the frame is lost, the engine is"):
        backend.infer(noise())
    assert np.array_equal(backend.infer(noise())[0], models.expected(noise())[0])
    gpu.driver.failing["cuEventSynchronize"] = [status]
    with pytest.raises(BackendLostError, match=f"{status.name}.*again after the engine was loaded"):
        backend.infer(noise())
    with pytest.raises(BackendLostError, match="configure anew"):
        backend.infer(noise())
    assert not gpu.driver.live


def test_a_device_that_does_not_come_back_is_lost_at_once(gpu):
    backend = gpu.backend()
    gpu.driver.failing["cuEventSynchronize"] = [ILLEGAL_ADDRESS]
    gpu.driver.failing["cuMemHostAlloc"] = [ILLEGAL_ADDRESS]
    with pytest.raises(BackendLostError, match="cannot be loaded anew"):
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


def test_a_model_of_fixed_batch_says_how_to_get_another(gpu, tmp_path):
    gpu.model = models.write_palette_model(tmp_path / "fixed.onnx", batch=1)
    with pytest.raises(BackendError, match=r"batches of 1, not 4: `hyperseg export --batch 4`"):
        gpu.backend(batch_size=4)


def test_int8_needs_a_model_with_an_int8_encoder(gpu):
    with pytest.raises(BackendError, match=r"no INT8 encoder: .*--precision int8 --calibrate"):
        gpu.backend(precision="int8")
    with pytest.raises(BackendError, match="TensorRT runs in fp32, fp16, int8, not bf16"):
        gpu.backend(precision="bf16")


def test_a_model_that_tensorrt_rejects_names_the_node(gpu):
    broken = models.palette_model(models.card())
    broken.graph.node[3].op_type = "NoSuchOperator"
    onnx.save(broken, str(gpu.model))
    with pytest.raises(BackendError, match=r"cannot take the model: node .*NoSuchOperator"):
        gpu.backend(precision="fp32")
