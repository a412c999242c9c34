"""The zoo: networks by name, and their encoders.

A name is that of a variant, with what is changed of it behind plus signs: another encoder, as in
`hyperseg-s-camvid+efficientnet-b3` or `hyperseg-s-camvid+timm:resnet18`, and `+regular` for regular
convolutions in the decoder in place of dynamic ones.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import replace

from hyperseg_ros.network.efficientnet import SCALINGS, EfficientNet
from hyperseg_ros.network.hyperseg import HyperSeg
from hyperseg_ros.network.imagenet import load_imagenet_encoder
from hyperseg_ros.network.timm_encoder import PREFIX, normalization
from hyperseg_ros.network.variants import (
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    VARIANTS,
    Variant,
)

REGULAR = "regular"


def build(
    name: str,
    num_classes: int | None = None,
    pretrained_encoder: bool = False,
    encoder_weights: str | os.PathLike[str] | None = None,
) -> HyperSeg:
    """Build a network by name.

    Args:
        name: a key of `VARIANTS`, with changes to it if any.
        num_classes: classes to predict; None takes as many as it was made for.
        pretrained_encoder: start from ImageNet weights, where the package registry has them.
        encoder_weights: a file of ImageNet weights instead, as `load_imagenet_encoder` takes it.

    Raises:
        ValueError: no variant or encoder of that name (the nearest is named), or no ImageNet
            weights for its encoder.
        ModuleNotFoundError: a package that is needed is not installed; says which.
    """
    variant = find_variant(name)
    if num_classes is None:
        num_classes = len(variant.classes)
    from_timm = variant.encoder.startswith(PREFIX)
    network = HyperSeg(variant, num_classes, pretrained_encoder and from_timm)
    if isinstance(network.encoder, EfficientNet) and (pretrained_encoder or encoder_weights):
        load_imagenet_encoder(network.encoder, variant.encoder, encoder_weights)
    return network


def find_variant(name: str) -> Variant:
    """What a name stands for.

    Raises:
        ValueError: no variant or encoder of that name; the nearest is named.
        ModuleNotFoundError: the encoder is timm's, and timm is not installed.
    """
    base, *changes = name.split("+")
    if base not in VARIANTS:
        raise ValueError(f"no variant '{base}'; {_nearest(base, VARIANTS)}")
    variant = VARIANTS[base]
    regular = REGULAR in changes
    encoders = [change for change in changes if change != REGULAR]
    if len(encoders) > 1:
        raise ValueError(f"'{name}' names {len(encoders)} encoders; a network has one")
    encoder = encoders[0] if encoders else variant.encoder
    if encoder != variant.encoder:
        variant = _with_encoder(variant, encoder)
    return replace(variant, name=compose_name(base, encoder, not regular), dynamic=not regular)


def compose_name(base: str, encoder: str = "", dynamic: bool = True) -> str:
    """The name of a variant with changes: another encoder than its own, regular convolutions."""
    own = VARIANTS[base].encoder if base in VARIANTS else ""
    changed = [encoder] if encoder not in ("", own) else []
    return "+".join([base, *changed, *([] if dynamic else [REGULAR])])


def name_of(network: HyperSeg) -> str:
    """The name that `build` makes such a network by."""
    return network.variant.name


def _with_encoder(variant: Variant, encoder: str) -> Variant:
    """The variant with another encoder, normalised as that encoder's ImageNet weights want it."""
    if encoder.startswith(PREFIX):
        mean, std = normalization(encoder)
        return replace(variant, encoder=encoder, mean=mean, std=std)
    if encoder not in SCALINGS:
        raise ValueError(
            f"no encoder '{encoder}'; {_nearest(encoder, SCALINGS)}; with timm installed, timm:NAME"
        )
    mean, std = (HALF, HALF) if SCALINGS[encoder].lite else (IMAGENET_MEAN, IMAGENET_STD)
    return replace(variant, encoder=encoder, mean=mean, std=std)


def _nearest(name: str, choices: Iterable[str]) -> str:
    choices = list(choices)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.0)
    return f"did you mean '{near[0]}'? ({', '.join(choices)})"
