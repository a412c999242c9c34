import re

import pytest

import models
from hyperseg_ros.commands.benchmark import main
from hyperseg_ros.runtime import ModelFileError


@pytest.fixture
def model(tmp_path):
    return models.write_palette_model(tmp_path / "model.onnx")


def test_each_backend_gets_a_row(model, capsys):
    pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")
    backends = ["openvino", "onnxruntime", "auto"]
    assert main([str(model), "--frames", "3", "--size", "48x64", "--backend", *backends]) == 0
    out = capsys.readouterr().out
    assert "nearest-colour (palette)" in out
    assert "24 x 32, from images of 48 x 64" in out
    table, reasons = out.rsplit("\n\n", 1)
    rows = [line.split()[0] for line in table.splitlines()[-2:]]
    assert rows == ["openvino", "onnxruntime"]
    auto, openvino, onnxruntime = reasons.splitlines()
    assert re.match(r"auto: .*: using OpenVINO on the CPU$", auto)
    assert re.match(r"openvino: OpenVINO as asked; (fp32|bf16): .*bfloat16", openvino)
    assert onnxruntime == "onnxruntime: ONNX Runtime as asked"


def test_a_missing_model(tmp_path):
    with pytest.raises(ModelFileError, match="no model file"):
        main([str(tmp_path / "gone.onnx")])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "640"], "'640' is not HEIGHTxWIDTH"),
        (["--size", "0x640"], "'0x640' is not HEIGHTxWIDTH"),
        (["--frames", "0"], "'0' is not a positive integer"),
        (["--backend", "vulkan"], "invalid choice: 'vulkan'"),
    ],
)
def test_options_out_of_range(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err
