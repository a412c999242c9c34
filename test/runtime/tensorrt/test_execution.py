"""The way of a frame through an engine: buffers, copies, CUDA graph, and what can go wrong."""

import numpy as np
import pytest

import models

pytest.importorskip("onnxruntime")
pytest.importorskip("tensorrt_rtx_bindings")
pytest.importorskip("cuda.bindings")
from software_gpu import (
    ILLEGAL_ADDRESS,
    NOT_SUPPORTED,
    OUT_OF_MEMORY,
    SoftwareDriver,
    SoftwareTensorRt,
)

from hyperseg_ros.runtime.backends.base import DeviceLostError
from hyperseg_ros.runtime.backends.tensorrt.builder import EngineError
from hyperseg_ros.runtime.backends.tensorrt.cuda import CudaError, NoDeviceError
from hyperseg_ros.runtime.backends.tensorrt.execution import Execution

ENGINE = bytes(2000)
IMAGE_BYTES = 24 * 32 * 3
RESULT_BYTES = 2 * 24 * 32


def noise(batch=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (batch, 24, 32, 3), np.uint8)


def parts(batch=1, names=("Software",)):
    driver = SoftwareDriver(names=names)
    trt = SoftwareTensorRt(driver, models.palette_model(models.card()))
    trt.batch = batch
    return driver, trt


def execution(driver, trt, **changes):
    shape = changes.pop("shape", (trt.batch, 24, 32, 3))
    return Execution(trt.library(), ENGINE, shape, driver=driver, **changes)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("batch", [1, 4])
def test_results_are_the_models_and_the_callers(mapped, batch):
    driver, trt = parts(batch)
    run = execution(driver, trt, mapped=mapped)
    first = run(noise(batch, seed=1))
    run(noise(batch, seed=2))
    for found, expected in zip(first, models.expected(noise(batch, seed=1)), strict=True):
        assert np.array_equal(found, expected)


def test_a_frame_allocates_nothing():
    driver, trt = parts()
    run = execution(driver, trt)
    assert run.details["CUDA graph"] == "replayed"
    live = dict(driver.live)
    run(noise())
    assert driver.live == live
    assert run.milliseconds() > 0
    assert driver.live == live


def test_only_bytes_of_pixels_cross_the_bus():
    driver, trt = parts()
    driver.failing["cuStreamBeginCapture"] = [NOT_SUPPORTED]
    run = execution(driver, trt)
    driver.copied = 0
    run(noise())
    assert driver.copied == IMAGE_BYTES + RESULT_BYTES


def test_mapped_memory_is_not_copied():
    driver, trt = parts()
    run = execution(driver, trt, mapped=True)
    run(noise())
    assert driver.copied == 0
    assert run.details["buffers"] == "shared with the CPU"


def test_the_gpu_is_the_one_that_was_asked_for():
    driver, trt = parts(names=("NVIDIA First", "NVIDIA Second"))
    execution(driver, trt, gpu=1).close()
    with pytest.raises(NoDeviceError, match="no GPU 2, only 0: NVIDIA First, 1: NVIDIA Second"):
        execution(driver, trt, gpu=2)
    assert not driver.live


def test_kernels_that_were_compiled_are_given_back_at_the_next_start():
    driver, trt = parts()
    compiled = execution(driver, trt).compiled()
    assert compiled
    again = execution(driver, trt, kernels=compiled)
    assert trt.kernels == [compiled]
    assert again.compiled() == compiled
    # Kernels of another version are compiled again.
    assert execution(driver, trt, kernels=b"other").compiled() == compiled


@pytest.mark.parametrize(
    "refusing",
    ["cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiate", "cuGraphLaunch"],
)
def test_without_a_graph_frames_are_queued(refusing):
    driver, trt = parts()
    driver.failing[refusing] = [NOT_SUPPORTED]
    run = execution(driver, trt)
    assert run.details["CUDA graph"].startswith("none, ")
    assert refusing in run.details["CUDA graph"]
    assert np.array_equal(run(noise())[0], models.expected(noise())[0])
    run.close()
    assert not driver.live


def test_a_graph_that_gives_other_results_is_not_used(monkeypatch):
    driver, trt = parts()
    monkeypatch.setattr(SoftwareDriver, "cuGraphLaunch", lambda *_: ())
    run = execution(driver, trt)
    assert run.details["CUDA graph"] == "none, it gave other results"
    assert np.array_equal(run(noise())[0], models.expected(noise())[0])


@pytest.mark.parametrize("mapped", [False, True])
def test_fifty_cycles_leave_nothing_behind(mapped):
    driver, trt = parts()
    for _ in range(50):
        run = execution(driver, trt, mapped=mapped)
        run(noise())
        run.close()
        run.close()
        assert not driver.live


@pytest.mark.parametrize(
    "failing",
    ["cuStreamCreate", "cuEventCreate", "cuMemHostAlloc", "cuMemAlloc", "cuMemcpyHtoDAsync"],
)
def test_what_fails_on_the_way_up_frees_the_rest(failing):
    driver, trt = parts()
    driver.failing[failing] = [OUT_OF_MEMORY]
    with pytest.raises(
        EngineError, match=f"cannot run the engine: {failing}: CUDA_ERROR_OUT_OF_MEMORY"
    ):
        execution(driver, trt)
    assert not driver.live


def test_an_engine_that_does_not_load_says_so():
    driver, trt = parts()
    trt.loads = False
    with pytest.raises(EngineError, match="the engine does not load"):
        execution(driver, trt)
    assert not driver.live


def test_too_little_memory_for_the_engine_says_how_much():
    driver, trt = parts()
    trt.has_memory = False
    with pytest.raises(EngineError, match=r"needs 1 MiB of scratch, 819\d MiB are free"):
        execution(driver, trt)
    assert not driver.live


def test_an_engine_of_another_model_is_refused():
    driver, trt = parts()
    with pytest.raises(EngineError, match="of another model"):
        execution(driver, trt, shape=(1, 48, 32, 3))


def test_a_buffer_that_is_not_taken_is_said():
    driver, trt = parts()
    trt.takes_buffers = False
    with pytest.raises(EngineError, match="the engine does not take a buffer for image"):
        execution(driver, trt)
    assert not driver.live


@pytest.mark.parametrize("failing", ["cuMemcpyHtoDAsync", "cuStreamBeginCapture", "cuGraphLaunch"])
def test_an_error_that_cuda_does_not_recover_from_loses_the_device(failing):
    driver, trt = parts()
    driver.failing[failing] = [ILLEGAL_ADDRESS]
    with pytest.raises(DeviceLostError, match=f"lost to this process: {failing}"):
        execution(driver, trt)
    assert not driver.live


def test_an_error_in_flight_is_raised_with_its_name():
    driver, trt = parts()
    run = execution(driver, trt)
    driver.failing["cuEventSynchronize"] = [ILLEGAL_ADDRESS]
    with pytest.raises(CudaError, match="cuEventSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS"):
        run(noise())
