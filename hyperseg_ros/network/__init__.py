"""HyperSeg in PyTorch: the paper, one idea a file (CVPR 2021, arXiv 2012.11582)."""

from hyperseg_ros.network.checkpoint import (
    CheckpointError,
    check_finite,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)
from hyperseg_ros.network.hyperseg import HyperSeg
from hyperseg_ros.network.variants import VARIANTS, Variant
from hyperseg_ros.network.zoo import build, compose_name, find_variant

__all__ = [
    "VARIANTS",
    "CheckpointError",
    "HyperSeg",
    "Variant",
    "build",
    "check_finite",
    "compose_name",
    "find_variant",
    "load_checkpoint",
    "load_weights",
    "save_checkpoint",
]
