import subprocess
import sys
import types

import cv2
import numpy as np
import pytest

import models
from hyperseg_ros import __version__, cli
from hyperseg_ros.runtime.backends.base import (
    BackendLostError,
    DeviceLostError,
    InferenceError,
)


def test_help_lists_the_commands_and_imports_no_layer():
    program = (
        "import sys, hyperseg_ros.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('LOADED', [m for m in sys.modules if m.startswith('hyperseg_ros.')])\n"
        "print('HEAVY', {'cv2', 'numpy', 'onnx', 'openvino', 'torch'} & set(sys.modules))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    for command in ("train", "evaluate", "export", "segment", "benchmark"):
        assert f"\n  {command} " in result.stdout
    assert "LOADED ['hyperseg_ros.cli']\n" in result.stdout
    assert "HEAVY set()\n" in result.stdout


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"hyperseg {__version__}\n"


def test_arguments_reach_the_command(tmp_path):
    model = models.write_palette_model(tmp_path / "model.onnx")
    image = tmp_path / "street.png"
    cv2.imwrite(str(image), np.zeros((24, 32, 3), np.uint8))
    assert cli.main(["segment", str(model), str(image), "--output", str(tmp_path)]) == 0
    assert (tmp_path / "street_label.png").is_file()


def test_help_of_a_command_is_the_commands_own(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["benchmark", "--help"])
    assert capsys.readouterr().out.startswith("usage: hyperseg benchmark")


@pytest.mark.parametrize("arguments", [[], ["trian"], ["--frames", "3"]])
def test_no_such_command(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert "COMMAND" in capsys.readouterr().err


def test_a_mistake_is_one_line_and_status_2(tmp_path, capsys):
    assert cli.main(["benchmark", str(tmp_path / "gone.onnx")]) == 2
    error = capsys.readouterr().err
    assert error == f"hyperseg benchmark: error: there is no model file {tmp_path / 'gone.onnx'}\n"


@pytest.mark.parametrize("kind", [InferenceError, BackendLostError, DeviceLostError])
def test_a_backend_that_fails_is_one_line_and_status_2(kind, monkeypatch, capsys):
    program = types.ModuleType("program")

    def main(arguments):
        raise kind("the device ran out of memory:\nuse a smaller model")

    program.main = main
    monkeypatch.setitem(sys.modules, "program", program)
    monkeypatch.setitem(cli.COMMANDS, "segment", cli.Command("", "program"))
    assert cli.main(["segment"]) == 2
    error = capsys.readouterr().err
    assert error == ("hyperseg segment: error: the device ran out of memory: use a smaller model\n")
    with pytest.raises(kind):
        cli.main(["--traceback", "segment"])


def test_traceback_on_request(tmp_path):
    with pytest.raises(ValueError, match="no model file"):
        cli.main(["--traceback", "benchmark", str(tmp_path / "gone.onnx")])


@pytest.mark.parametrize(
    ("package", "advice"),
    [
        ("torch", "in a checkout of hyperseg_ros: pip install '.[train,export]'"),
        ("rclpy", "source the setup file of a ROS 2 installation"),
        ("rclpy.node", "source the setup file of a ROS 2 installation"),
        ("openvino", "in a checkout of hyperseg_ros: pip install '.[cpu]'"),
        ("no_such_package", "in a checkout of hyperseg_ros: pip install '.[cpu,train,export]'"),
        ("hyperseg_ros.msg", "it is made by `colcon build`"),
    ],
)
def test_a_missing_package_is_told_with_what_installs_it(package, advice, monkeypatch, capsys):
    program = types.ModuleType("program")
    name = package if package == "hyperseg_ros.msg" else package.partition(".")[0]

    def main(arguments):
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    program.main = main
    monkeypatch.setitem(sys.modules, "program", program)
    monkeypatch.setitem(cli.COMMANDS, "train", cli.Command("", "program"))
    assert cli.main(["train"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"hyperseg train: error: the package {name} is not installed; {advice}")
    assert error.count("\n") == 1


def test_a_layer_that_knows_what_installs_its_package_is_heard(monkeypatch, capsys):
    program = types.ModuleType("program")

    def main(arguments):
        raise ModuleNotFoundError("ResNet needs: pip install timm", name="timm")

    program.main = main
    monkeypatch.setitem(sys.modules, "program", program)
    monkeypatch.setitem(cli.COMMANDS, "train", cli.Command("", "program"))
    assert cli.main(["train"]) == 2
    assert capsys.readouterr().err == "hyperseg train: error: ResNet needs: pip install timm\n"


def test_a_release_that_lacks_what_is_used_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "lightning.py").write_text("")
    (tmp_path / "program.py").write_text("from lightning import WeightAveraging")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("lightning", "program"):
        monkeypatch.setitem(sys.modules, name, None)  # so that what is imported goes afterwards
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(cli.COMMANDS, "train", cli.Command("", "program"))
    assert cli.main(["train"]) == 2
    error = capsys.readouterr().err
    assert "cannot import name 'WeightAveraging'" in error
    assert "another release of lightning is needed; in a checkout" in error
    assert error.count("\n") == 1


def test_a_broken_layer_is_not_blamed_on_a_package(monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, "train", cli.Command("", "hyperseg_ros.no_such_layer"))
    with pytest.raises(ModuleNotFoundError, match="no_such_layer"):
        cli.main(["train"])
