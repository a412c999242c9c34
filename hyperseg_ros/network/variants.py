"""What defines each network of the HyperSeg family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hyperseg_ros.classes import CAMVID, CAMVID_WITH_VOID, CITYSCAPES, PASCAL_VOC, ClassTable

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Variant:
    """One network of the HyperSeg family.

    Attributes:
        name: what `build` makes it from.
        encoder: a name of `efficientnet.SCALINGS`, or `timm:` and a name of timm's.
        size: input height and width (pixels) it was made for.
        classes: that it was made for.
        kernel_sizes: 1 or 3 for each decoder level, coarse to fine.
        level_channels: output channels of the levels (the number of classes replaces the last);
            None takes the features' own.
        weight_groups: groups of the weight mapper for each level.
        reduction: fraction of the encoder features' channels that is kept, see `FeatureReduction`.
        head_channels: channels of F_n; None for the encoder's own.
        context_levels: levels of the context head.
        unify_from: level (counted from 1) from which on one mapping makes all levels' weights.
        signal_from_start: every mapping reads φ from its first channel on. The paper gives each
            its own slice; the published v1.0 code does this, unless mappings are unified.
        legacy: the published v0.1 layout: context head of full width, and halo pixels of the
            depthwise convolution made by the neighbours' weights.
        dynamic: the decoder's convolutions are dynamic and patch-wise; if not, they are regular
            ones with learned weights, the paper's ablation "w/o DPWConv".
        mean, std: normalisation of RGB in [0, 1].
    """

    name: str
    encoder: str
    size: tuple[int, int]
    classes: ClassTable
    kernel_sizes: Sequence[int]
    level_channels: Sequence[int] | None
    weight_groups: Sequence[int]
    reduction: float | Sequence[float] = 0.25
    head_channels: int | None = None
    context_levels: int = 2
    unify_from: int | None = None
    signal_from_start: bool = False
    legacy: bool = False
    dynamic: bool = True
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


_VARIANTS = (
    Variant(
        name="hyperseg-s-camvid",
        encoder="efficientnet-b1",
        size=(576, 768),
        classes=CAMVID_WITH_VOID,
        kernel_sizes=(1, 1, 1, 3, 3),
        level_channels=(64, 32, 16, 16, 16),
        weight_groups=(64, 32, 32, 16, 8),
        signal_from_start=True,
    ),
    Variant(
        name="hyperseg-l-camvid",
        encoder="efficientnet-b1",
        size=(768, 1024),
        classes=CAMVID_WITH_VOID,
        kernel_sizes=(1, 1, 1, 3, 3, 3),
        level_channels=(64, 32, 16, 16, 16, 16),
        weight_groups=(64, 32, 32, 16, 8, 8),
        signal_from_start=True,
    ),
    Variant(
        name="hyperseg-m-cityscapes",
        encoder="efficientnet-b1",
        size=(512, 1024),
        classes=CITYSCAPES,
        kernel_sizes=(1, 1, 1, 3, 3),
        level_channels=(64, 32, 16, 16, 16),
        weight_groups=(32, 16, 8, 16, 4),
        reduction=(1, 0.25, 0.25, 0.25, 0.25),
        signal_from_start=True,
    ),
    Variant(
        name="hyperseg-s-cityscapes",
        encoder="efficientnet-b1",
        size=(768, 1536),
        classes=CITYSCAPES,
        kernel_sizes=(1, 1, 1, 3, 3),
        level_channels=(32, 16, 8, 8, 8),
        weight_groups=(32, 16, 8, 16, 4),
        reduction=(1, 0.166, 0.2, 0.25, 0.4),
        unify_from=4,
    ),
    Variant(
        name="hyperseg-l-voc",
        encoder="efficientnet-b3",
        size=(512, 512),
        classes=PASCAL_VOC,
        kernel_sizes=(1, 1, 3, 3, 3, 3),
        level_channels=None,
        weight_groups=(16,) * 6,
        context_levels=3,
        legacy=True,
        mean=HALF,
        std=HALF,
    ),
    Variant(
        name="hyperseg-s-lite0",
        encoder="efficientnet-lite0",
        size=(384, 512),
        classes=CAMVID,
        kernel_sizes=(1, 1, 1, 3, 3),
        level_channels=(64, 32, 16, 16, 16),
        weight_groups=(32, 16, 16, 16, 8),
        head_channels=640,
        mean=HALF,
        std=HALF,
    ),
    Variant(
        name="hyperseg-s-lite2",
        encoder="efficientnet-lite2",
        size=(576, 768),
        classes=CAMVID,
        kernel_sizes=(1, 1, 1, 3, 3),
        level_channels=(64, 32, 16, 16, 16),
        weight_groups=(32, 16, 16, 16, 8),
        head_channels=640,
        mean=HALF,
        std=HALF,
    ),
)
VARIANTS = {variant.name: variant for variant in _VARIANTS}
"""The networks by name."""
