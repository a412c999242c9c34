"""PIDNet-S (Xu, Xiong, Bhattacharyya, CVPR 2023), untrained, in the wrapping of our model files.

git clone https://github.com/XuJiacong/PIDNet
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional
from untrained import untrained_card

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.export.onnx_file import trace
from hyperseg_ros.export.pixels import PixelsToLabels
from hyperseg_ros.runtime.card import METADATA_KEY

NAME = "PIDNet-S"


def is_checkout(folder: Path) -> bool:
    """Whether a folder holds the published code."""
    return (folder / "models" / "pidnet.py").is_file()


class _ToInputSize(nn.Module):
    """Logits at the image's size; PIDNet gives them at an eighth of it."""

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return functional.interpolate(logits, x.shape[2:], mode="bilinear", align_corners=False)


def _published(checkout: Path) -> Any:
    """The module of the network, under a name that no other `models` hides."""
    package = types.ModuleType("published_pidnet")
    package.__path__ = [str(checkout / "models")]
    sys.modules[package.__name__] = package
    return importlib.import_module("published_pidnet.pidnet")


def write_pidnet(path: Path, checkout: Path, classes: ClassTable, size: tuple[int, int]) -> None:
    """Write it as a model file: uint8 image in, uint8 labels and confidence out.

    Args:
        path: the `.onnx` file.
        checkout: the published code.
        classes: how many it tells apart, and their names.
        size: height and width of its input.
    """
    torch.manual_seed(0)
    network = _published(checkout).get_pred_model("s", len(classes)).eval()
    model = trace(PixelsToLabels(_ToInputSize(network)), size)
    card = untrained_card(NAME, classes, size, license="MIT")
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, str(path))
