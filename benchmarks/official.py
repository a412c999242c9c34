"""The published implementation, from a checkout of its repository.

git clone https://github.com/YuvalNirkin/hyperseg
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hyperseg_ros.network import HyperSeg
from hyperseg_ros.network.official import network_key

# The arguments of the published configurations (configs/train), without the flipped second pass.
_LEVELS = {"levels": 2, "kernel_sizes": (1, 1, 1, 3, 3), "level_channels": [64, 32, 16, 16, 16]}
_CONFIGURATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "hyperseg-s-camvid": (
        "hyperseg_v1_0",
        "efficientnet-b1",
        {**_LEVELS, "weight_groups": [64, 32, 32, 16, 8], "coords_res": [(576, 768)]},
    ),
    "hyperseg-m-cityscapes": (
        "hyperseg_v1_0",
        "efficientnet-b1",
        {
            **_LEVELS,
            "weight_groups": [32, 16, 8, 16, 4],
            "out_feat_scale": [1.0, 0.25, 0.25, 0.25, 0.25],
            "coords_res": [(512, 1024)],
        },
    ),
    "hyperseg-s-cityscapes": (
        "hyperseg_v1_0_unify",
        "efficientnet-b1",
        {
            **_LEVELS,
            "level_channels": [32, 16, 8, 8, 8],
            "weight_groups": [32, 16, 8, 16, 4],
            "out_feat_scale": [1.0, 0.166, 0.2, 0.25, 0.4],
            "unify_level": 4,
            "coords_res": [(768, 1536)],
        },
    ),
    "hyperseg-l-voc": (
        "hyperseg_v0_1",
        "efficientnet-b3",
        {"levels": 3, "kernel_sizes": (1, 1, 3, 3, 3, 3), "weight_groups": 16},
    ),
}

NAMES = tuple(_CONFIGURATIONS)
"""The published models that the comparison knows."""


def is_checkout(folder: Path) -> bool:
    """Whether a folder holds the published code."""
    return (folder / "hyperseg" / "models" / "hyperseg_v1_0.py").is_file()


def build_official(folder: Path, name: str, weights_of: HyperSeg) -> nn.Module:
    """A published model with the weights of ours, in evaluation mode.

    Args:
        folder: the checkout.
        name: one of `NAMES`.
        weights_of: our network of that name.
    """
    sys.path.insert(0, str(folder))
    # Imported by the package for videos, needed by no model.
    sys.modules.setdefault("ffmpeg", types.ModuleType("ffmpeg"))
    module, encoder, arguments = _CONFIGURATIONS[name]
    make = importlib.import_module(f"hyperseg.models.{module}").hyperseg_efficientnet
    network = make(
        encoder, pretrained=False, num_classes=weights_of.num_classes, expand_ratio=2, **arguments
    )
    ours = weights_of.state_dict()
    state = network.state_dict()
    for key in state:
        if not key.startswith("decoder.coord"):
            state[key] = ours[network_key(key)]
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def settle(network: HyperSeg, size: tuple[int, int], seed: int = 0) -> HyperSeg:
    """Give an untrained network the statistics of batch norm that training would.

    Without, activations grow from block to block until rounding decides the labels.
    """
    generator = torch.manual_seed(seed)
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.5
    for _ in range(4):
        network(torch.randn(2, 3, *size, generator=generator))
    return network.eval()
