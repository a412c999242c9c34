"""ONNX Runtime on a GPU: I/O binding and verification, on its CPU provider in place of CUDA's."""

import types
from importlib import metadata

import numpy as np
import pytest

import models

pytest.importorskip("onnxruntime")
import onnxruntime

from hyperseg_ros.runtime.backends import cuda
from hyperseg_ros.runtime.backends.base import (
    BackendError,
    DeviceLostError,
    EngineOptions,
    InferenceError,
)
from hyperseg_ros.runtime.backends.cuda import CudaBackend, describe_usable
from hyperseg_ros.runtime.backends.tensorrt import cuda as driver
from hyperseg_ros.runtime.backends.verification import Verification
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model

CPU = "CPUExecutionProvider"


@pytest.fixture
def model(tmp_path):
    return models.write_palette_model(tmp_path / "street.onnx")


def noise(batch=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (batch, 24, 32, 3), np.uint8)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("precision", ["auto", "fp16", "fp32"])
def test_results_are_the_models_and_the_callers(model, batch, precision):
    backend = CudaBackend(model, batch_size=batch, precision=precision, provider=CPU)
    first = backend.infer(noise(batch, seed=1))
    backend.infer(noise(batch, seed=2))
    for found, expected in zip(first, models.expected(noise(batch, seed=1)), strict=True):
        assert np.array_equal(found, expected)
    assert backend.precision == {"auto": "fp16"}.get(precision, precision)
    assert backend.details == {"agreement": "100.00% of the labels equal the CPU's"}
    backend.close()
    backend.close()


def test_the_shipped_model_runs_in_the_form_of_gpus():
    backend = CudaBackend(find_model(DEFAULT_MODEL), precision="fp32", provider=CPU)
    assert backend.details["agreement"].startswith("100.00%")


def test_other_labels_are_refused_with_the_figure_and_the_next_precision_is_tried(
    model, monkeypatch
):
    said, shares = [], iter([0.61, 0.999])
    monkeypatch.setattr(Verification, "agreement", lambda *_: next(shares))
    options = EngineOptions(notify=said.append)
    backend = CudaBackend(model, options=options, provider=CPU)
    assert backend.precision == "fp32"
    (refusal,) = said
    assert "refused in fp16: only 61.0% of its labels are those of the CPU, and 98% must" in refusal
    monkeypatch.setattr(Verification, "agreement", lambda *_: 0.5)
    with pytest.raises(BackendError, match=r"refused in fp32: only 50.0%"):
        CudaBackend(model, options=options, provider=CPU)


def test_a_precision_that_it_has_not(model):
    with pytest.raises(BackendError, match="cuda runs in fp16 or fp32, not int8"):
        CudaBackend(model, precision="int8", provider=CPU)


def test_a_gpu_that_onnxruntime_leaves_out_in_silence_is_said(model, monkeypatch):
    monkeypatch.setattr(cuda, "describe_usable", lambda gpu: "GPU")
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda *_, **__: types.SimpleNamespace(get_providers=lambda: [CPU]),
    )
    with pytest.raises(BackendError, match=r"cannot use the GPU: .*onnxruntime-gpu\[cuda,cudnn\]"):
        CudaBackend(model)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CUDA failure 2: out of memory ; GPU=0", InferenceError),
        ("CUDA failure 700: an illegal memory access was encountered", DeviceLostError),
    ],
)
def test_errors_in_flight(model, monkeypatch, text, kind):
    backend = CudaBackend(model, provider=CPU)

    def fails(binding):
        raise RuntimeError(text)

    session = backend._session
    backend._session = types.SimpleNamespace(run_with_iobinding=fails)
    with pytest.raises(kind, match=text[:14]):
        backend.infer(noise())
    backend._session = session
    if kind is DeviceLostError:
        with pytest.raises(DeviceLostError, match="lost to this process"):
            backend.infer(noise())
    else:
        assert np.array_equal(backend.infer(noise())[0], models.expected(noise())[0])


def test_what_is_missing_has_a_sentence_each(monkeypatch):
    with pytest.raises(BackendError, match=r"^onnxruntime-gpu is not installed$"):
        describe_usable()
    monkeypatch.setattr(metadata, "version", lambda name: "1.23.0")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(BackendError, match=r"1.23.0 is hidden by another onnxruntime: pip unin"):
        describe_usable()
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", CPU]
    )

    def no_device(gpu):
        raise driver.NoDeviceError(f"no GPU {gpu}")

    monkeypatch.setattr(driver, "find_device", no_device)
    with pytest.raises(BackendError, match=r"onnxruntime-gpu 1.23.0 found, no GPU 3"):
        describe_usable(3)
    device = driver.Device("NVIDIA RTX", (8, 9), 1 << 30, False)
    monkeypatch.setattr(driver, "find_device", lambda gpu: device)
    assert describe_usable() == "NVIDIA RTX, ONNX Runtime 1.23.0"
