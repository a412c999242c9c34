from dataclasses import replace
from pathlib import Path

import pytest

import models
from hyperseg_ros.benchmark import advice
from hyperseg_ros.benchmark.advice import (
    Trial,
    advise,
    choose,
    compared_on,
    parameter_file,
    resized_models,
)
from hyperseg_ros.benchmark.inference import Measurement
from hyperseg_ros.commands.benchmark import main
from hyperseg_ros.runtime.backends import installed_backends
from hyperseg_ros.runtime.model_file import (
    DEFAULT_MODEL,
    find_model,
    read_card,
    shipped_models,
    write_card,
)
from hyperseg_ros.runtime.trained_on import OF_A_TWIN, figure_name


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


def measured(model, backend, size, frames, threads, precision, device):
    """In place of a measurement: the larger model takes longer."""
    assert device in ("auto", "cpu")
    milliseconds = read_card(model).input_size[0] / 10
    step = (milliseconds / 3, milliseconds / 3)
    return Measurement(backend, "fp32", "a CPU", step, step, step, 1e3 / milliseconds, 100.0)


def with_figures(path, **figures):
    """A model file whose card has these figures; `_` stands for `/`."""
    model = models.write_palette_model(path)
    miou = {name.replace("_", "/"): value for name, value in figures.items()}
    write_card(model, replace(read_card(model), miou=miou))
    return model


def test_models_are_compared_on_one_data_set(tmp_path):
    """The cards of the shipped models do not begin with the same: 82 % simulated, 79 % real."""
    shipped = list(shipped_models().values())
    assert compared_on(shipped) == "camvid/val"
    trials = list(advise(shipped, (48, 64), 60, measure=measured))
    assert {trial.model for trial in trials} == set(shipped)
    for trial in trials:
        assert trial.miou == read_card(trial.model).miou["camvid/val" + OF_A_TWIN]
    assert choose(trials, rate=10).model.stem == "hyperseg-s-lite2-camvid"
    own = with_figures(tmp_path / "own.onnx", yard_val=0.9, simulated_val=0.95)
    assert compared_on([own]) == "yard/val"
    assert compared_on([models.write_palette_model(tmp_path / "new.onnx")]) == ""


def test_models_are_compared_on_what_most_were_measured_on_at_their_own_sizes(tmp_path):
    def own(number, **figures):
        return with_figures(tmp_path / f"{number}.onnx", **figures)

    resized = {"camvid/val at 384 x 512": 0.77, "simulated/val at 384 x 512": 0.83}
    shipped = own(1, camvid_val=0.77, simulated_val=0.83)
    assert compared_on([shipped, own(2, **resized)]) == "camvid/val"
    measured_too = own(3, **resized, simulated_val=0.8)
    assert compared_on([shipped, measured_too]) == "simulated/val"
    assert compared_on([shipped, own(4, yard_val=0.9), own(5, yard_val=0.8)]) == "yard/val"
    assert compared_on([own(6, **resized), own(7, **resized)]) == "camvid/val"


def test_a_resized_shipped_model_is_compared_on_simulated_images(tmp_path):
    shipped = find_model(DEFAULT_MODEL)
    (made,) = resized_models([shipped], [(128, 192)], tmp_path)
    assert compared_on([shipped, made]) == "camvid/val"
    card = read_card(made)
    write_card(made, replace(card, miou={**card.miou, "simulated/val": 0.7}))
    assert compared_on([shipped, made]) == "simulated/val"
    trials = advise([shipped, made], (48, 64), 60, [made], measured)
    of_whole = read_card(shipped).miou["simulated/val"]
    found = {(trial.model, trial.miou, trial.at_size) for trial in trials}
    assert found == {(shipped, of_whole, True), (made, 0.7, True)}


def test_figures_of_a_models_own_size_count_and_remembered_ones_do_not(tmp_path):
    path = models.write_palette_model(tmp_path / "own.onnx")
    miou = {
        "camvid/val at 384 x 512": 0.7,
        "camvid/val": 0.8,
        "camvid/train, seen in training": 0.9,
        "camvid/test, of a twin trained without it at 384 x 512": 0.6,
    }
    write_card(path, replace(read_card(path), miou=miou))
    assert advice._figures(read_card(path)) == {
        "camvid/val": (0.8, True),
        "camvid/test": (0.6, False),
    }


def test_a_model_without_figures_is_run_at_its_own_size_if_that_keeps_up(tmp_path):
    own = tmp_path / "own.onnx"
    own.write_bytes(find_model(DEFAULT_MODEL).read_bytes())
    write_card(own, replace(read_card(own), miou={}, iou={}, calibration={}, robustness={}))
    (small,) = resized_models([own], [(128, 192)], tmp_path / "made")
    trials = list(advise([own, small], (48, 64), 60, [small], measured))
    assert choose(trials, rate=10).model == own
    assert choose(trials, rate=50).model == small


@pytest.mark.parametrize("dataset", ["camvid/val", "simulated/val", "yard/val"])
def test_a_model_that_was_measured_at_its_new_size_is_kept(tmp_path, dataset):
    model, folder = find_model(DEFAULT_MODEL), tmp_path / "made"
    (made,) = resized_models([model], [(128, 192)], folder)
    card = read_card(made)
    name = figure_name(card.dataset, dataset)
    assert (name == dataset) == (dataset != "camvid/val")  # which the shipped models have seen
    write_card(made, replace(card, miou={**card.miou, name: 0.5}))
    assert list(resized_models([model], [(128, 192)], folder)) == [made]
    assert read_card(made).miou[name] == 0.5
    write_card(made, card)
    made.write_bytes(b"rubbish")
    assert list(resized_models([model], [(128, 192)], folder)) == [made]
    assert read_card(made) == card


def test_one_core_is_not_measured_twice(monkeypatch):
    monkeypatch.setattr(advice.os, "sched_getaffinity", lambda process: {0})
    ways = list(advice._ways())
    assert len(ways) == len(set(ways))
    assert {threads for _, _, threads, _ in ways} == {0}


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for output in (tmp_path / "file" / "advice.yaml", tmp_path):
        with pytest.raises(OSError):  # noqa: PT011
            main(["--advise", "no-such-model", "--output", str(output)])


def test_the_parameter_file_is_one_of_the_node():
    yaml = pytest.importorskip("yaml")
    text = parameter_file(trial(20.0, name="Straße: 1"), shipped=False, reason="20 ms")
    assert yaml.safe_load(text) == {
        "/**": {
            "ros__parameters": {
                "model": "/models/Straße: 1.onnx",
                "backend": "openvino",
                "device": "auto",
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
