import pytest

import models
from hyperseg_ros.benchmark.inference import measure


@pytest.fixture
def model(tmp_path):
    return models.write_palette_model(tmp_path / "model.onnx")


def test_a_measurement_says_what_ran_and_what_it_took(model):
    measurement = measure(model, "auto", (48, 64), frames=20, precision="fp32")
    assert measurement.backend in ("openvino", "onnxruntime")
    assert measurement.precision == "fp32"
    steps = (measurement.preprocess_ms, measurement.inference_ms, measurement.postprocess_ms)
    assert all(0 < median <= p95 for median, p95 in steps)
    assert 0 < measurement.frames_per_second < 1e5
    assert 20 < measurement.peak_memory_mb < 16_000
