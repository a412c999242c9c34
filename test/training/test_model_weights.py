import cv2
import numpy as np
import pytest
import torch
from networks import with_statistics

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.network import CheckpointError, build
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.training.model_weights import load_model_weights
from hyperseg_ros.training.prediction import normalize, predict
from models import card, write_palette_model


def write(path, network, **options):
    name = network.name
    write_model_file(path, network, card(CAMVID, (128, 128), variant=name), **options)
    return path


@pytest.fixture(scope="module", params=["hyperseg-s-lite0", "hyperseg-s-camvid"])
def exported(request, tmp_path_factory):
    """A network whose norms all do something, and its model file."""
    torch.manual_seed(0)
    network = with_statistics(build(request.param, 11))
    return network, write(tmp_path_factory.mktemp("model") / "small.onnx", network)


def frames(seed):
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    return np.stack([cv2.resize(image, (128, 128)) for image in small])


def test_the_network_computes_what_its_file_does(exported):
    original, path = exported
    rgb = torch.from_numpy(frames(0)).permute(0, 3, 1, 2)
    network = build(original.name, 11)
    load_model_weights(network, path, [normalize(rgb, original)])
    assert not network.training
    other = torch.from_numpy(frames(1)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected, found = (each(normalize(other, original)) for each in (original, network))
    # The file holds its weights as float16.
    assert 0 < ((found - expected).norm() / expected.norm()).item() < 5e-3
    with Segmenter.open(path, "onnxruntime") as segmenter:
        labels = segmenter(np.ascontiguousarray(frames(1)[0, :, :, ::-1])).labels
    assert (labels == predict(network, other)[0]).mean() > 0.999


def test_its_norms_are_ready_to_be_trained(exported):
    original, path = exported
    batch = normalize(torch.from_numpy(frames(0)).permute(0, 3, 1, 2), original)
    network = build(original.name, 11)
    load_model_weights(network, path, [batch])
    with torch.no_grad():
        expected, found = network(batch), network.train()(batch)
    assert ((found - expected).norm() / expected.norm()).item() < 0.02


@pytest.mark.parametrize(
    ("name", "options"),
    [("hyperseg-s-lite0", {"operators": "product"}), ("hyperseg-s-lite0+regular", {})],
)
def test_a_file_without_all_weights_is_refused_with_what_to_do(name, options, tmp_path):
    network = build(name, 11).eval()
    path = write(tmp_path / "other.onnx", network, **options)
    with pytest.raises(CheckpointError, match=r"missing.*start from the checkpoint"):
        load_model_weights(build(name, 11), path, [])


def test_a_file_with_another_graph_is_refused(tmp_path):
    path = write_palette_model(tmp_path / "palette.onnx")
    with pytest.raises(CheckpointError, match="start from the checkpoint"):
        load_model_weights(build("hyperseg-s-lite0", 11), path, [])
