import pytest

import models
from hyperseg_ros.runtime import ModelFileError
from hyperseg_ros.runtime.benchmark import main, measure


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


def test_each_backend_gets_a_row(model, capsys):
    pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")
    backends = ["openvino", "onnxruntime", "auto"]
    assert main([str(model), "--frames", "3", "--size", "48x64", "--backend", *backends]) == 0
    out = capsys.readouterr().out
    assert "nearest-colour (palette)" in out
    assert "24 x 32, from images of 48 x 64" in out
    rows = [line.split()[0] for line in out.splitlines()[-2:]]
    assert rows == ["openvino", "onnxruntime"]


def test_a_missing_model(tmp_path):
    with pytest.raises(ModelFileError, match="no model file"):
        main([str(tmp_path / "gone.onnx")])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "640"], "'640' is not HEIGHTxWIDTH"),
        (["--size", "0x640"], "'0x640' is not HEIGHTxWIDTH"),
        (["--frames", "0"], "'0' is not a whole number from 1 on"),
        (["--backend", "cuda"], "invalid choice: 'cuda'"),
    ],
)
def test_options_out_of_range(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err
