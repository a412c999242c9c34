from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from hyperseg_ros.classes import CAMVID
from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.network import CheckpointError, build
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.training.model_weights import load_model_file
from hyperseg_ros.training.prediction import normalize, predict
from models import card, write_palette_model


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network and its model file."""
    torch.manual_seed(0)
    network = build("hyperseg-s-lite0", 11).eval()
    small = replace(card(CAMVID, (64, 128)), name="small", variant="hyperseg-s-lite0")
    path = tmp_path_factory.mktemp("model") / "small.onnx"
    write_model_file(path, network, small, half_weights=False)
    return network, path


def frames(seed):
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (2, 4, 8, 3), dtype=np.uint8)
    return np.stack([cv2.resize(image, (128, 64)) for image in small])


def test_the_network_labels_as_its_file_does(exported):
    original, path = exported
    rgb = torch.from_numpy(frames(0)).permute(0, 3, 1, 2)
    network, found_card = load_model_file(path, [normalize(rgb, original)])
    assert (found_card.name, found_card.classes) == ("small", CAMVID)
    assert not network.training
    other = torch.from_numpy(frames(1)).permute(0, 3, 1, 2)
    labels = predict(network, other)
    assert (labels == predict(original, other)).mean() > 0.999
    with Segmenter(path, "onnxruntime") as segmenter:
        found = segmenter(np.ascontiguousarray(frames(1)[0, :, :, ::-1])).labels
    assert (found == labels[0]).mean() > 0.999


def test_its_norms_are_ready_to_be_trained(exported):
    original, path = exported
    batch = normalize(torch.from_numpy(frames(0)).permute(0, 3, 1, 2), original)
    network, _ = load_model_file(path, [batch])
    with torch.no_grad():
        expected, found = network(batch), network.train()(batch)
    assert ((found - expected).norm() / expected.norm()).item() < 0.02


def test_a_file_with_another_graph_is_refused(tmp_path):
    path = write_palette_model(tmp_path / "palette.onnx", variant="hyperseg-s-lite0")
    with pytest.raises(CheckpointError, match="missing"):
        load_model_file(path, [])
