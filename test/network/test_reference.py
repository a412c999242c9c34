"""The five published models against the official implementation's own outputs.

The reference weights drive activations to 1e6, where the rounding of single precision alone decides
which of them ReLU6 cuts off: on a CPU with other vector units, or with another number of threads,
the official code differs from its own reference by percents. So the strict comparison is with its
outputs in double precision, which are the same everywhere.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from hyperseg_ros.network import build, load_weights

REFERENCE = Path(__file__).resolve().parents[1] / "data" / "reference"

PUBLISHED = {
    "hyperseg-s-camvid": "camvid_hyperseg_s",
    "hyperseg-l-camvid": "camvid_hyperseg_l",
    "hyperseg-m-cityscapes": "cityscapes_hyperseg_m",
    "hyperseg-s-cityscapes": "cityscapes_hyperseg_s",
    "hyperseg-l-voc": "voc_hyperseg_l",
}


def reference_weight(key: str, shape: list[int]) -> torch.Tensor:
    """The weights that the reference outputs were made with, from a key and a shape."""
    r = np.random.default_rng(zlib.crc32(key.encode()))
    he = np.sqrt(2 / np.prod(shape[1:])) if shape else 1.0
    if "signal2weights" in key:
        value = 0.1 * r.standard_normal(shape) * he
    elif key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    elif key.endswith("running_var"):
        value = r.uniform(0.5, 1.5, shape)
    elif key.endswith("running_mean"):
        value = 0.1 * r.standard_normal(shape)
    elif len(shape) == 1 and key.endswith("weight"):
        value = r.uniform(0.8, 1.2, shape)
    elif key.endswith("bias"):
        value = 0.05 * r.standard_normal(shape)
    else:
        value = r.standard_normal(shape) * he
    return torch.from_numpy(np.asarray(value, np.float32))


def reference_image(height: int, width: int) -> torch.Tensor:
    random = np.random.default_rng(7)
    return torch.from_numpy(random.uniform(-2, 2, (2, 3, height, width)).astype(np.float32))


def differences(logits: np.ndarray, wanted: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The relative error of the logits, and the share of labels that are equal."""
    error = np.linalg.norm(logits[:, :, 1::4, 2::4] - wanted) / np.linalg.norm(wanted)
    return float(error), float((logits.argmax(1) == labels).mean())


@pytest.fixture(scope="module", params=PUBLISHED)
def published(request):
    """A published model with the reference weights, its file of outputs, and two threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    stem = PUBLISHED[request.param]
    description = json.loads((REFERENCE / f"{stem}.json").read_text())
    shapes = dict(description["state_dict"])
    network = build(request.param).eval()
    assert sum(p.numel() for p in network.parameters()) == description["parameters"]
    load_weights(network, {key: reference_weight(key, shape) for key, shape in shapes.items()})
    yield network, stem
    torch.set_num_threads(threads)


@pytest.mark.parametrize("size", [(128, 256), (256, 128)])
def test_single_precision_agrees_as_far_as_rounding_lets_it(published, size):
    """To the last bit on the kind of CPU of the reference, percents apart on others."""
    network, stem = published
    outputs = np.load(REFERENCE / f"{stem}.npz")
    height, width = size
    with torch.inference_mode():
        logits = network(reference_image(height, width)).numpy()
    error, agreement = differences(
        logits, outputs[f"logits_{height}x{width}"], outputs[f"labels_{height}x{width}"]
    )
    assert error < 0.3
    assert agreement > 0.98


def test_double_precision_equals_the_official_implementation(published):
    network, stem = published
    outputs = np.load(REFERENCE / f"{stem}_double.npz")
    with torch.inference_mode():
        logits = network.double()(reference_image(128, 256).double()).numpy()
    error, agreement = differences(logits, outputs["logits"], outputs["labels"])
    assert error < 1e-6  # the file keeps single precision
    assert agreement == 1
