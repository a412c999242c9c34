"""`hyperseg build`: engines on a GPU in software, INT8 model files, and what it refuses."""

import cv2
import numpy as np
import onnx
import pytest

import models
from hyperseg_ros.commands import build
from hyperseg_ros.runtime.backends import BackendError
from hyperseg_ros.runtime.backends.tensorrt import backend as tensorrt_backend
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, read_card
from hyperseg_ros.runtime.precision import is_quantized
from hyperseg_ros.simulation import StreetCamera

pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")


@pytest.fixture
def model(tmp_path):
    return models.write_palette_model(tmp_path / "street.onnx")


@pytest.fixture
def gpu(monkeypatch):
    """A GPU in software, for the palette model."""
    pytest.importorskip("tensorrt_rtx_bindings")
    pytest.importorskip("cuda.bindings")
    from software_gpu import DEVICE, SoftwareDriver, SoftwareTensorRt

    from hyperseg_ros.runtime.backends.tensorrt import cuda

    driver = SoftwareDriver()
    trt = SoftwareTensorRt(driver, models.palette_model(models.card()))
    for module in (build, tensorrt_backend):
        monkeypatch.setattr(module, "find_usable", lambda _=0: (trt.library(), DEVICE))
    monkeypatch.setattr(cuda, "load_driver", lambda: driver)
    return trt


@pytest.fixture
def frames(tmp_path):
    """A folder of street frames at 320 x 240, and one of their true labels."""
    images, labels = tmp_path / "frames", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    for seed in (1, 2, 3):
        frame = StreetCamera(seed, 320, 240).frame(40)
        cv2.imwrite(str(images / f"{seed}.png"), frame.image)
        cv2.imwrite(str(labels / f"{seed}.png"), models.expected(frame.image)[0])
    return images, labels


def test_build_then_check_then_build_from_the_cache(gpu, model, tmp_path, capsys):
    arguments = [str(model), "--cache", str(tmp_path / "engines")]
    assert build.main([*arguments, "--check"]) == 1
    assert "a start would build the engine: there is no engine in the cache" in (
        capsys.readouterr().out
    )
    assert build.main(arguments) == 0
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert ["precision", "form", "a", "frame", "labels", "kernels", "moved"] in rows
    compared = [row for row in rows if row[:1] == ["fp16"] and "ms" in row]
    assert {row[1] for row in compared} == {"product", "convolution"}
    assert all(row[4] == "100.00%" for row in compared)
    assert "fp16 on Software, TensorRT-RTX" in printed
    assert "CUDA graph: replayed" in printed
    assert "give --frames FOLDER" in printed
    assert build.main([*arguments, "--check"]) == 0
    assert "100.00% of the labels equal ONNX Runtime's" in capsys.readouterr().out
    # Another precision is another engine.
    assert build.main([*arguments, "--check", "--precision", "fp32"]) == 1
    assert build.main(arguments) == 0
    assert "engine from the cache" in capsys.readouterr().out
    assert not gpu.driver.live


def test_agreement_on_frames_with_labels(gpu, model, frames, tmp_path, capsys):
    images, labels = frames
    assert (
        build.main(
            [str(model), "--cache", str(tmp_path), "--frames", str(images), "--labels", str(labels)]
        )
        == 0
    )
    assert "agreement: 100.00% of the labels equal FP32's on 3 frames; mIoU " in (
        capsys.readouterr().out
    )


def test_int8_is_a_model_file_of_its_own(frames, tmp_path, capsys):
    output = tmp_path / "quick.onnx"
    arguments = [DEFAULT_MODEL, "--precision", "int8", "--calibrate", str(frames[0])]
    assert build.main([*arguments, "--output", str(output), "--simulate"]) == 0
    printed = capsys.readouterr().out
    assert f"saved {output}" in printed
    assert "int8 simulated on the CPU: 9" in printed
    assert is_quantized(onnx.load(str(output)))
    card, original = read_card(output), read_card(find_model(DEFAULT_MODEL))
    assert card.name == f"{original.name}-int8"
    assert (card.miou, card.iou, card.calibration, card.robustness) == ({}, {}, {}, {})
    ((images, share),) = card.agreement.items()
    assert images == "/".join(frames[0].parts[-2:])
    assert 0.9 < share < 1
    assert f"its card says: {share:.2%} of the labels equal FP32's on 3 frames" in printed
    assert card.training.endswith("Encoder in INT8, calibrated on 3 images.")
    assert card.classes == original.classes
    # Made once, it needs no calibration again.
    again = [str(output), "--simulate", "--frames", str(frames[0])]
    with pytest.raises(ValueError, match="is INT8: give --reference with the FP32 model file"):
        build.main(again)
    assert build.main([*again, "--reference", DEFAULT_MODEL]) == 0
    assert "int8 simulated on the CPU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--simulate"], "--simulate compares on frames"),
        (["--simulate", "--frames", "nowhere"], "nowhere is not a folder of images"),
        (["--precision", "int8"], "has no INT8 encoder"),
    ],
)
def test_what_is_refused_says_why(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        build.main([str(model), *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--calibrate", "."], "--calibrate is for --precision int8"),
        (["--labels", "."], "--labels needs --frames"),
        (["--precision", "fp64"], "invalid choice"),
        (["--output", "x.onnx"], "--output is for the INT8 model file"),
        (["--workspace", "0"], "not a positive integer"),
    ],
)
def test_wrong_usage(model, arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        build.main([str(model), *arguments])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_folders_that_hold_no_frames(model, frames, tmp_path):
    images, labels = frames
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="empty holds no images"):
        build.main([str(model), "--simulate", "--frames", str(empty)])
    (images / "2.png").write_text("not a PNG")
    with pytest.raises(ValueError, match=r"2\.png: the bytes are no image"):
        build.main([str(model), "--simulate", "--frames", str(images)])
    (images / "2.png").unlink()
    cv2.imwrite(str(labels / "3.png"), np.zeros((5, 5), np.uint8))
    with pytest.raises(ValueError, match=r"3\.png is not a PNG of class ids.* of the size of"):
        build.main([str(model), "--simulate", "--frames", str(images), "--labels", str(labels)])


def test_without_a_gpu_it_says_what_was_found(model, monkeypatch):
    def find_usable(gpu):
        raise BackendError("TensorRT 10.3.0 found, no CUDA device (no NVIDIA driver)")

    for module in (build, tensorrt_backend):
        monkeypatch.setattr(module, "find_usable", find_usable)
    for arguments in ([], ["--check"]):
        with pytest.raises(BackendError, match="no CUDA device"):
            build.main([str(model), *arguments])


def test_what_is_fused_is_known_without_a_gpu(tmp_path, capsys):
    pytest.importorskip("tensorrt_rtx_bindings")
    file = tmp_path / "layers.txt"
    assert build.main([DEFAULT_MODEL, "--layers", str(file)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    kernels = {row[1]: int(row[2]) for row in rows if row[0] == "fp16"}
    assert kernels["product"] < kernels["convolution"] < 100
    lists = file.read_text()
    assert f"fp16, product form: {kernels['product']} kernels, 1" in lists
    assert lists.count("gemm") >= 6


def test_the_simulation_says_what_a_precision_costs(frames, capsys):
    arguments = [DEFAULT_MODEL, "--simulate", "--frames", str(frames[0])]
    assert build.main([*arguments, "--precision", "fp32"]) == 0
    assert "fp32 simulated on the CPU: 100.00%" in capsys.readouterr().out


def test_an_engine_that_loses_the_device_is_one_sentence(gpu, model, tmp_path, capsys):
    from software_gpu import ILLEGAL_ADDRESS

    gpu.driver.failing["cuMemAlloc"] = [ILLEGAL_ADDRESS]
    arguments = [str(model), "--cache", str(tmp_path / "engines")]
    with pytest.raises(BackendError, match="start again, what failed is left out"):
        build.main(arguments)
    assert build.main(arguments) == 0
    assert "not used: the engine (fp16, product form) is refused: CUDA" in capsys.readouterr().out
