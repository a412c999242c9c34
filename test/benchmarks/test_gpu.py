"""What a GPU is to prove is rehearsed on the CPU: stand-in, graphs in PyTorch, fused tail."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from gpu.stand_in import COLORS, expected
from gpu.torch_graph import TorchGraph

import models
from hyperseg_ros.runtime.backends.derivation import Derivation, ModelSource
from hyperseg_ros.runtime.image_files import read_image
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model, verification_frames
from hyperseg_ros.runtime.resizing import fit_image

GPU = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu"


@pytest.mark.parametrize("form", ["product", "convolution"])
def test_pytorch_runs_the_graphs_that_tensorrt_gets(form):
    path = find_model(DEFAULT_MODEL)
    image = fit_image(read_image(verification_frames()[0]), (384, 512))[None]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (labels,) = session.run(["labels"], {"image": image})
    graph = TorchGraph(ModelSource.read(path, 1).graph(Derivation("fp32", form)))
    with torch.inference_mode():
        found, _ = graph(torch.from_numpy(image))
    assert np.array_equal(found.numpy(), labels)


def test_an_operator_that_is_not_known_is_named():
    model = models.palette_model(models.card(), batch=1)
    with pytest.raises(NotImplementedError, match="operators Abs, ArgMin, ReduceMax"):
        TorchGraph(model)


def test_the_stand_in_gives_the_nearest_colour():
    image = np.repeat(COLORS[None, :, None], 2, axis=2)  # [1, 11, 2, 3]
    labels, confidence = expected(image)
    assert labels[0, :, 0].tolist() == list(range(11))
    assert (confidence == 255).all()


def test_the_driver_is_rehearsed_on_a_gpu_in_software():
    pytest.importorskip("tensorrt_rtx_bindings")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for check in ("results_are_known", "an_illegal_address_loses_the_device"):
        command = [sys.executable, "-m", "gpu.driver", "--rehearse", "--check", check]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    assert "CUDA is lost to this process" in done.stdout


def test_a_part_that_fails_leaves_its_reason_in_the_report(tmp_path):
    report = tmp_path / "report.md"
    command = [sys.executable, str(GPU / "run"), "forms", "--rehearse", "--models", "nothing"]
    done = subprocess.run([*command, "--report", str(report)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "no model 'nothing'" in report.read_text()
    assert "**failed (1)** in" in report.read_text()


def test_the_fused_tail_is_right_under_tritons_interpreter():
    pytest.importorskip("triton", reason="Triton comes with PyTorch for CUDA")
    command = [sys.executable, str(GPU / "run"), "tail", "--rehearse", "--report", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "confidence within 1 of 255: right" in done.stdout
