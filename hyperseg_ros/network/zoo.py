"""The zoo: networks by name."""

from __future__ import annotations

import difflib

from hyperseg_ros.network.hyperseg import HyperSeg
from hyperseg_ros.network.imagenet import load_imagenet_encoder
from hyperseg_ros.network.variants import VARIANTS


def build(name: str, num_classes: int | None = None, pretrained_encoder: bool = False) -> HyperSeg:
    """Build a network by name.

    Args:
        name: a key of `VARIANTS`.
        num_classes: classes to predict; None takes as many as it was made for.
        pretrained_encoder: start from ImageNet weights, where the package registry has them.

    Raises:
        ValueError: no variant of that name (the nearest is named), or no ImageNet weights for its
            encoder.
        ModuleNotFoundError: the package with the ImageNet weights is not installed; says which.
    """
    if name not in VARIANTS:
        near = difflib.get_close_matches(name, VARIANTS, n=1, cutoff=0.0)
        raise ValueError(f"no variant '{name}'; did you mean '{near[0]}'? ({', '.join(VARIANTS)})")
    variant = VARIANTS[name]
    if num_classes is None:
        num_classes = len(variant.classes)
    network = HyperSeg(variant, num_classes)
    if pretrained_encoder:
        load_imagenet_encoder(network.encoder, variant.encoder)
    return network


def name_of(network: HyperSeg) -> str:
    """The name that `build` makes such a network by."""
    return next(name for name, variant in VARIANTS.items() if variant == network.variant)
