"""`hyperseg export MODEL --size`: a model file for another input size, without PyTorch."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import models
from hyperseg_ros.commands.export import main
from hyperseg_ros.runtime import Segmenter, read_card
from hyperseg_ros.runtime.model_file import find_model

MODEL = "hyperseg-s-lite0-camvid"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The shipped model for 128 x 192, made by its name."""
    path = tmp_path_factory.mktemp("made") / "wide.onnx"
    assert main([MODEL, "--size", "128x192", "--output", str(path)]) == 0
    return path


def test_the_new_file_runs_and_says_at_which_size_it_was_measured(made):
    card, old = read_card(made), read_card(find_model(MODEL))
    assert card.name == "wide"
    assert card.input_size == (128, 192)
    assert card.miou == {f"{name} at 384 x 512": value for name, value in old.miou.items()}
    assert card.iou == {f"{name} at 384 x 512": scores for name, scores in old.iou.items()}
    assert card.classes == old.classes
    assert card.source_sha256 == old.source_sha256
    page = made.with_suffix(".md").read_text(encoding="utf-8")
    assert "| input | 128 x 192 (height x width), uint8 BGR |" in page
    for name, value in old.miou.items():
        assert f"| mIoU on {name} at 384 x 512 | {100 * value:.1f} % |" in page
    with Segmenter.open(made, "onnxruntime") as segmenter:
        labels = segmenter(np.zeros((360, 640, 3), np.uint8)).labels
    assert labels.shape == (360, 640)


def test_back_at_its_own_size_the_figures_hold_again(made, tmp_path):
    again = tmp_path / "again.onnx"
    assert main([str(made), "--size", "384x512", "--output", str(again)]) == 0
    assert read_card(again).miou == read_card(find_model(MODEL)).miou


def test_it_lies_beside_its_model_under_a_name_that_says_the_size(made, capsys):
    assert main([str(made), "--size", "192x128"]) == 0
    path = made.with_name("wide-192x128.onnx")
    assert read_card(path).input_size == (192, 128)
    assert f"saved {path}" in capsys.readouterr().out


def test_no_pytorch_is_needed(made, tmp_path):
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('torch', 'lightning', 'onnxscript')))\n"
        "from hyperseg_ros.commands.export import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    path = tmp_path / "new.onnx"
    command = [sys.executable, "-c", program, str(made), "--size", "128x128", "--output", str(path)]
    subprocess.run(command, check=True)
    assert read_card(path).input_size == (128, 128)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "360x640"], "multiples of 64; the nearest valid size is 384 x 640"),
        ([], "name it, as --size 384x640"),
        (["--size", "128x128", "--batch", "2"], "--batch is for checkpoints"),
        (["--size", "128x128", "--fp32-weights"], "--fp32-weights is for checkpoints"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(made, tmp_path, options, message):
    output = tmp_path / "new.onnx"
    with pytest.raises(ValueError, match=message):
        main([str(made), *options, "--output", str(output)])
    assert list(tmp_path.iterdir()) == []


def test_the_model_itself_is_not_overwritten(made):
    before = made.read_bytes()
    with pytest.raises(ValueError, match="is the model itself"):
        main([str(made), "--size", "192x192", "--output", str(made)])
    assert made.read_bytes() == before


def test_a_model_that_is_no_hyperseg_is_refused(tmp_path):
    model = models.write_palette_model(tmp_path / "palette.onnx", input_size=(128, 192), batch=1)
    with pytest.raises(ValueError, match="export the checkpoint with --size"):
        main([str(model), "--size", "192x192"])


def test_size_is_height_x_width(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "--size HEIGHTxWIDTH" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main([MODEL, "--size", "big"])
    assert "HEIGHTxWIDTH" in capsys.readouterr().err


def test_a_name_that_is_nearly_a_shipped_models_is_told():
    with pytest.raises(ValueError, match=f"did you mean {MODEL}?"):
        main(["hyperseg-s-lite0-camvd", "--size", "128x192"])
