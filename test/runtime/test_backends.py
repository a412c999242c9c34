import numpy as np
import onnx
import pytest

import models
from hyperseg_ros.runtime import backends
from hyperseg_ros.runtime.backends import BackendError, choose_backend, create_backend
from hyperseg_ros.runtime.model_file import ModelFileError

INSTALLED = [
    pytest.param(name, marks=() if backends._installed(entry) else pytest.mark.skip("missing"))
    for name, entry in backends._ENTRIES.items()
]


@pytest.fixture
def model(tmp_path):
    return models.write_palette_model(tmp_path / "model.onnx")


def noise(batch_size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (batch_size, 24, 32, 3), np.uint8)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("precision", ["auto", "fp32"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_results_are_the_models(model, name, precision, batch_size):
    backend = create_backend(name, model, precision=precision, batch_size=batch_size)
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
def test_a_model_of_fixed_batch_runs(tmp_path, name):
    path = models.write_palette_model(tmp_path / "model.onnx", batch=1)
    backend = create_backend(name, path)
    assert np.array_equal(backend.infer(noise(1))[0], models.expected(noise(1))[0])


@pytest.mark.parametrize("name", INSTALLED)
def test_a_later_call_leaves_earlier_results_alone(model, name):
    backend = create_backend(name, model)
    labels, confidence = backend.infer(noise(1, seed=1))
    backend.infer(noise(1, seed=2))
    expected_labels, expected_confidence = models.expected(noise(1, seed=1))
    assert np.array_equal(labels, expected_labels)
    assert np.array_equal(confidence, expected_confidence)


@pytest.mark.parametrize("name", INSTALLED)
def test_a_graph_the_backend_cannot_run_is_a_model_file_error(tmp_path, name):
    broken = models.palette_model(models.card())
    broken.graph.node[3].op_type = "NoSuchOperator"
    path = tmp_path / "model.onnx"
    onnx.save(broken, str(path))
    with pytest.raises(ModelFileError, match=r"cannot (compile|load) .*model.onnx: .*NoSuchOp"):
        create_backend(name, path)


def test_auto_prefers_openvino_and_falls_back_to_onnx_runtime(monkeypatch):
    monkeypatch.setattr(backends, "_installed", lambda entry: True)
    assert choose_backend("auto") == "openvino"
    monkeypatch.setattr(backends, "_installed", lambda entry: entry.package == "onnxruntime")
    assert choose_backend("auto") == "onnxruntime"
    monkeypatch.setattr(backends, "_installed", lambda entry: False)
    with pytest.raises(BackendError, match="pip install openvino"):
        choose_backend("auto")
    with pytest.raises(BackendError, match="pip install onnxruntime"):
        choose_backend("onnxruntime")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("openvin", "did you mean openvino"),
        ("cuda", "backends are auto, openvino, onnxruntime"),
        ("tensorrt", "no tensorrt backend yet; use one of auto, openvino, onnxruntime"),
    ],
)
def test_a_backend_that_is_not_there(name, message):
    with pytest.raises(BackendError, match=message):
        choose_backend(name)


def test_options_out_of_range(model):
    for threads in (-1, 257):
        with pytest.raises(BackendError, match=f"to 256, not {threads}"):
            create_backend("auto", model, threads=threads)
    with pytest.raises(BackendError, match="precision must be one of auto, fp32, bf16"):
        create_backend("auto", model, precision="fp64")


def test_onnx_runtime_has_no_bf16_on_a_cpu(model):
    pytest.importorskip("onnxruntime")
    with pytest.raises(BackendError, match="fp32 on a CPU, not bf16"):
        create_backend("onnxruntime", model, precision="bf16")
