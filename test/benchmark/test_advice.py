from pathlib import Path

import pytest

import models
from hyperseg_ros.benchmark.advice import Trial, choose, parameter_file
from hyperseg_ros.commands.benchmark import main
from hyperseg_ros.runtime.backends import installed_backends
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, read_card


def trial(milliseconds, miou=None, name="street", at_size=True):
    path = Path(f"/models/{name}.onnx")
    return Trial(path, "openvino", "fp32", 0, milliseconds, (48, 64), miou, at_size)


@pytest.mark.parametrize(
    ("rate", "milliseconds"),
    [
        (10, 90.0),  # the better model keeps up
        (15, 60.0),  # only the smaller one does; of its trials the fastest
        (100, 60.0),  # nothing does: the fastest
    ],
)
def test_the_best_model_that_keeps_up_is_chosen(rate, milliseconds):
    trials = [trial(65.0, 0.75), trial(60.0, 0.75), trial(90.0, 0.78), trial(95.0, 0.78)]
    assert choose(trials, rate).milliseconds == milliseconds


def test_a_size_that_was_not_measured_is_chosen_only_where_nothing_else_keeps_up():
    trials = [trial(30.0, 0.78, at_size=False), trial(60.0, 0.75), trial(90.0, 0.78)]
    assert [choose(trials, rate).milliseconds for rate in (10, 15, 20)] == [90.0, 60.0, 30.0]


def test_the_parameter_file_is_one_of_the_node():
    yaml = pytest.importorskip("yaml")
    text = parameter_file(trial(20.0, name="Straße: 1"), shipped=False, reason="20 ms")
    assert yaml.safe_load(text) == {
        "/**": {
            "ros__parameters": {
                "model": "/models/Straße: 1.onnx",
                "backend": "openvino",
                "precision": "fp32",
                "threads": 0,
            }
        }
    }
    assert '    model: "street"\n' in parameter_file(trial(20.0), shipped=True, reason="")


def test_the_command_measures_every_backend_and_writes_the_file(tmp_path, capsys):
    model = models.write_palette_model(tmp_path / "street.onnx")
    output = tmp_path / "advice.yaml"
    arguments = ["--advise", str(model), "--size", "48x64", "--output", str(output)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for backend in installed_backends():
        assert f" {backend} " in printed
    assert f"wrote {output}" in printed
    assert str(model) in output.read_text()


def test_input_sizes_are_tried_and_kept(tmp_path, capsys):
    output = tmp_path / "advice.yaml"
    arguments = [DEFAULT_MODEL, "--input-sizes", "128x192", "100x100", "--seconds", "1"]
    assert main(["--advise", *arguments, "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert f"{DEFAULT_MODEL}-100x100: " in printed
    made = tmp_path / "advice_models" / f"{DEFAULT_MODEL}-128x192.onnx"
    assert read_card(made).input_size == (128, 192)
    assert not made.with_name(f"{DEFAULT_MODEL}-100x100.onnx").exists()
