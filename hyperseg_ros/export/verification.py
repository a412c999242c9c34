"""Verification of a model file against the network that it was exported from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hyperseg_ros.network import HyperSeg
from hyperseg_ros.runtime.backends import installed_backends, open_backend
from hyperseg_ros.runtime.model_file import read_card
from hyperseg_ros.simulation import StreetCamera

LEAST_AGREEMENT = 0.995
"""Share of labels that must be equal; float16 weights move a few pixels on class borders."""
CONFIDENCE_TOLERANCE = 8
"""Levels of 255 within which the confidence must be, on the same share of pixels."""
_SEEDS = (1, 2, 3)
_FRAME = 40


class VerificationError(ValueError):
    """A model file is not shown to agree with the network that it was written from."""


@dataclass(frozen=True)
class Agreement:
    """How far a backend running the model file agrees with PyTorch, as shares of all pixels."""

    backend: str
    labels: float
    """Pixels with the same label."""
    confidence: float
    """Pixels whose confidence is within `CONFIDENCE_TOLERANCE`."""

    def check(self) -> None:
        """Raise VerificationError unless both shares reach `LEAST_AGREEMENT`."""
        if min(self.labels, self.confidence) < LEAST_AGREEMENT:
            raise VerificationError(
                f"{self.backend} on the model file and PyTorch on the checkpoint agree on only "
                f"{self.labels:.3%} of the labels and {self.confidence:.3%} of the confidences; "
                f"{LEAST_AGREEMENT:.1%} is the least: the file is not kept. A network that has "
                "hardly been trained decides by rounding: train it longer, or export it with "
                "--fp32-weights"
            )


def verify(
    model_file: Path, network: HyperSeg, size: tuple[int, int], batch: int
) -> Iterator[Agreement]:
    """Compare every backend that is installed with PyTorch, on frames of simulated drives.

    Args:
        model_file: the file to check.
        network: the network it was written from, with its batch norms, in evaluation mode.
        size: height and width of the graph's input.
        batch: batch size of the graph; all of a batch are the same frame.

    Raises:
        ModelFileError: the runtime does not take the file, or its card.
        VerificationError: no backend is installed.
    """
    read_card(model_file)
    backends = installed_backends()
    if not backends:
        raise VerificationError("nothing here can run the model file: pip install onnxruntime")
    height, width = size
    images = [StreetCamera(seed, width, height).frame(_FRAME).image for seed in _SEEDS]
    expected = [_reference(network, image) for image in images]
    for name in backends:
        backend = open_backend(name, model_file, precision="fp32")
        same_labels, near_confidence = [], []
        for image, (labels, confidence) in zip(images, expected, strict=True):
            found_labels, found_confidence = backend.infer(np.repeat(image[None], batch, axis=0))
            same_labels.append(np.mean(found_labels == labels))
            off = np.abs(found_confidence.astype(int) - confidence)
            near_confidence.append(np.mean(off <= CONFIDENCE_TOLERANCE))
        backend.close()
        yield Agreement(name, float(np.mean(same_labels)), float(np.mean(near_confidence)))


@torch.inference_mode()
def _reference(
    network: HyperSeg, image: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Labels and confidence by the textbook: normalise, network, softmax, argmax."""
    rgb = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (network.mean, network.std))
    confidence, labels = network((rgb - mean) / std).softmax(dim=1).max(dim=1)
    return labels[0].numpy().astype(np.uint8), (confidence[0] * 255).round().byte().numpy()
