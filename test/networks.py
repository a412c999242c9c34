"""The networks that every test of networks runs on: all variants, all encoders, the ablation."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn

from hyperseg_ros.network import VARIANTS, HyperSeg, build, find_variant, save_checkpoint
from hyperseg_ros.network.efficientnet import SCALINGS


def timm_encoders() -> list[str]:
    """Backbones of timm, where it can be imported: it needs the torchvision of the PyTorch."""
    try:
        import timm  # noqa: F401
    except Exception:  # torchvision raises RuntimeError where it does not fit
        return []
    return ["timm:resnet18", "timm:mobilenetv3_small_100"]


_OWN = {variant.encoder for variant in VARIANTS.values()}
NAMES = [
    *VARIANTS,
    *(f"hyperseg-s-lite0+{name}" for name in (*SCALINGS, *timm_encoders()) if name not in _OWN),
    *(f"{name}+regular" for name in ("hyperseg-s-lite0", "hyperseg-s-cityscapes")),
]
"""Names for `network.build`; each encoder is in one of them at least."""

EXPORTED = (
    NAMES
    if os.environ.get("EVERY_ENCODER")
    else [*VARIANTS, "hyperseg-s-lite0+efficientnet-b0", "hyperseg-s-lite0+regular"]
)
"""Those that the tests export: encoders of one family differ in width and depth only, and an export
takes up to a minute. EVERY_ENCODER=1 in the environment exports them all."""


def with_statistics(network: HyperSeg) -> HyperSeg:
    """Batch norms as training leaves them: every statistic and factor away from its default."""
    generator = torch.manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.weight.data.uniform_(0.8, 1.2, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
    return network.eval()


@torch.no_grad()
def warmed_up(network: HyperSeg) -> HyperSeg:
    """A network whose batch norms have seen what eight steps of training would show them.

    It decides by more than rounding, so that float16 weights and backends change few labels.
    """
    for module in network.train().modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1 - (1 - module.momentum) ** 8
    network(torch.randn(2, 3, 128, 128, generator=torch.manual_seed(4)))
    network.decoder.levels[-1].norm3.weight.data.fill_(3.0)
    return network.eval()


def write_checkpoint(folder: Path, name: str, miou: float = 0.25) -> Path:
    """The checkpoint of a network that decides, with all that a run would say of it."""
    torch.manual_seed(0)
    classes = find_variant(name).classes
    path = folder / f"{name}.pt"
    save_checkpoint(
        path,
        warmed_up(build(name)),
        **classes.to_info(),
        dataset="noise",
        training="one step of nothing",
        miou={"noise": miou},
        iou={"noise": {classes.names[0]: miou, classes.names[1]: float("nan")}},
        command="hyperseg train noise.yaml",
    )
    return path
