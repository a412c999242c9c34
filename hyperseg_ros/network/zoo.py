"""The zoo: builds every network of the family from its name.

A name is that of a variant, with changes to it after plus signs: another encoder, as in
`hyperseg-s-camvid+efficientnet-b3` or `hyperseg-s-camvid+timm:resnet18`, and `+regular` for regular
convolutions in the decoder instead of dynamic ones.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch import nn

from hyperseg_ros.network.context_head import (
    ConstantSignal,
    ContextHead,
    UnreducedContextHead,
)
from hyperseg_ros.network.decoder import Decoder
from hyperseg_ros.network.efficientnet import HEAD_CHANNELS, SCALINGS, EfficientNet
from hyperseg_ros.network.hyperseg import HyperSeg
from hyperseg_ros.network.imagenet import load_imagenet_encoder
from hyperseg_ros.network.meta_blocks import Halo
from hyperseg_ros.network.timm_encoder import TimmEncoder, normalization
from hyperseg_ros.network.variants import (
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    VARIANTS,
    Variant,
)
from hyperseg_ros.network.weight_mapper import WeightMapper, divide_channels, round_up

TIMM = "timm:"
"""The prefix of the name of a timm encoder."""
REGULAR = "regular"
_STRIDE = 32
"""Of the deepest feature."""


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
    encoder = _encoder(variant, pretrained_encoder)
    context_head = _context_head(variant, encoder)
    decoder = _decoder(variant, encoder, num_classes or len(variant.classes))
    weight_mapper = _weight_mapper(variant, context_head.signal_channels, decoder.weight_counts)
    if isinstance(encoder, EfficientNet) and (pretrained_encoder or encoder_weights):
        load_imagenet_encoder(encoder, variant.encoder, encoder_weights)
    return HyperSeg(
        encoder,
        context_head,
        weight_mapper,
        decoder,
        mean=variant.mean,
        std=variant.std,
        size_divisor=_STRIDE * 2 ** (variant.context_levels - 1),
        name=variant.name,
    )


def _encoder(variant: Variant, pretrained: bool) -> EfficientNet | TimmEncoder:
    if not variant.encoder.startswith(TIMM):
        return EfficientNet(variant.encoder, variant.reduction, variant.head_channels)
    channels = variant.head_channels or HEAD_CHANNELS
    name = variant.encoder.removeprefix(TIMM)
    return TimmEncoder(name, variant.reduction, channels, pretrained)


def _context_head(
    variant: Variant, encoder: EfficientNet | TimmEncoder
) -> ContextHead | UnreducedContextHead | ConstantSignal:
    if not variant.dynamic:
        encoder.head = nn.Identity()  # F_n is not used
        return ConstantSignal()
    head = UnreducedContextHead if variant.legacy else ContextHead
    return head(encoder.head_channels, variant.context_levels)


def _decoder(variant: Variant, encoder: EfficientNet | TimmEncoder, num_classes: int) -> Decoder:
    """The decoder; where it has six levels, the finest takes the image itself."""
    pyramid = (3, *encoder.feature_channels)[::-1][: len(variant.kernel_sizes)]
    channels = [*(variant.level_channels or pyramid)[:-1], num_classes]
    halo: Halo = "map" if variant.legacy else "patch"
    return Decoder(pyramid, channels, variant.kernel_sizes, halo)


def _weight_mapper(variant: Variant, channels: int, counts: Sequence[int]) -> WeightMapper:
    """The weight mapper from a signal of `channels` to the weights of each level, `counts`."""
    if not variant.dynamic:
        everything = (0, channels)
        return WeightMapper([everything] * len(counts), [[c] for c in counts], [1] * len(counts))
    own = len(counts) if variant.unify_from is None else variant.unify_from - 1
    served = [[count] for count in counts[:own]]
    if own < len(counts):
        served.append(list(counts[own:]))
    totals = [sum(levels) for levels in served]
    groups = variant.weight_groups[: len(served)]
    unit = max(variant.weight_groups)
    if variant.legacy:
        totals = [round_up(total, group) for total, group in zip(totals, groups, strict=True)]
    shares = divide_channels(channels, totals, unit, at_least_one=not variant.legacy)
    starts = [0 if variant.signal_from_start else sum(shares[:i]) for i in range(len(shares))]
    return WeightMapper(list(zip(starts, shares, strict=True)), served, groups)


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


def _with_encoder(variant: Variant, encoder: str) -> Variant:
    """The variant with another encoder, normalised as that encoder's ImageNet weights want it."""
    if encoder.startswith(TIMM):
        mean, std = normalization(encoder.removeprefix(TIMM))
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
