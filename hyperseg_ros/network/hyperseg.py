"""HyperSeg: the whole network on one screen (Nirkin, Wolf, Hassner, CVPR 2021, figure 2)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hyperseg_ros.network.context_head import (
    ConstantSignal,
    ContextHead,
    UnreducedContextHead,
)
from hyperseg_ros.network.decoder import Decoder, resized
from hyperseg_ros.network.efficientnet import HEAD_CHANNELS, EfficientNet
from hyperseg_ros.network.timm_encoder import PREFIX, TimmEncoder
from hyperseg_ros.network.variants import Variant
from hyperseg_ros.network.weight_mapper import WeightMapper, divide_channels, round_up

STRIDE = 32


class HyperSeg(nn.Module):
    """An encoder that generates its decoder's weights, patch by patch.

    F_1..F_n = b(I);  φ = h(F_n);  θ_mi = w_i(φ);  S = d({F_i}, {P_i} | {θ_mi})

    Args:
        variant: what defines the network, see `variants`.
        num_classes: classes to predict.
        pretrained_encoder: of timm, with its ImageNet weights.

    Attributes:
        size_divisor: input heights and widths must be multiples of it.
        mean, std: normalisation of RGB in [0, 1] that the encoder expects.
    """

    def __init__(
        self, variant: Variant, num_classes: int, pretrained_encoder: bool = False
    ) -> None:
        super().__init__()
        self.variant = variant
        self.num_classes = num_classes
        self.size_divisor = STRIDE * 2 ** (variant.context_levels - 1)
        self.mean, self.std = variant.mean, variant.std

        self.encoder: EfficientNet | TimmEncoder
        if variant.encoder.startswith(PREFIX):
            self.encoder = TimmEncoder(
                variant.encoder,
                variant.reduction,
                variant.head_channels or HEAD_CHANNELS,
                pretrained_encoder,
            )
        else:
            self.encoder = EfficientNet(variant.encoder, variant.reduction, variant.head_channels)
        self.context_head: nn.Module
        if variant.dynamic:
            head = UnreducedContextHead if variant.legacy else ContextHead
            self.context_head = head(self.encoder.head_channels, variant.context_levels)
        else:
            self.encoder.head = nn.Identity()
            self.context_head = ConstantSignal()

        pyramid = (3, *self.encoder.feature_channels)[::-1][: len(variant.kernel_sizes)]
        channels = [*(variant.level_channels or pyramid)[:-1], num_classes]
        halo = "map" if variant.legacy else "patch"
        self.decoder = Decoder(pyramid, channels, variant.kernel_sizes, halo)
        self.weight_mapper = _weight_mapper(
            variant, self.context_head.signal_channels, self.decoder.weight_counts
        )

    def forward(self, image: Tensor) -> Tensor:
        """Segment a batch.

        Args:
            image: float [N, 3, H, W], RGB normalised by `mean` and `std`.

        Returns:
            Logits, float [N, num_classes, H, W].

        Raises:
            ValueError: H or W is no multiple of `size_divisor`; names the nearest valid size.
        """
        return resized(self.forward_native(image), image.shape[2:])

    def forward_native(self, image: Tensor) -> Tensor:
        """Logits at the decoder's own resolution: stride 2, or 1 where it takes the image in."""
        check_size(image.shape[2], image.shape[3], self.size_divisor)
        features, head = self.encoder(image)
        weights = self._split(self.weight_mapper(self.context_head(head)))
        pyramid = [image, *features][::-1][: len(self.decoder.levels)]
        return self.decoder(pyramid, weights)

    def _split(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """Cut the last map's weights up where several levels share it."""
        own = len(weights) - 1
        shared = self.decoder.weight_counts[own:]
        return [*weights[:own], *weights[own].split(shared, dim=1)]


def check_size(height: int, width: int, divisor: int) -> None:
    """Raise ValueError, naming the nearest valid size, unless both are multiples of divisor."""
    if height % divisor == 0 and width % divisor == 0 and min(height, width) > 0:
        return
    nearest = [max(divisor, int(n / divisor + 0.5) * divisor) for n in (height, width)]
    raise ValueError(
        f"an input of {height} x {width} (height x width) does not fit: both must be multiples of "
        f"{divisor}; the nearest valid size is {nearest[0]} x {nearest[1]}"
    )


def _weight_mapper(variant: Variant, channels: int, counts: Sequence[int]) -> WeightMapper:
    if not variant.dynamic:
        return WeightMapper([(0, channels)] * len(counts), counts, [1] * len(counts))
    own = len(counts) if variant.unify_from is None else variant.unify_from - 1
    counts = [*counts[:own], sum(counts[own:])] if own < len(counts) else list(counts)
    groups = variant.weight_groups[: len(counts)]
    unit = max(variant.weight_groups)
    if variant.legacy:
        rounded = [round_up(c, g) for c, g in zip(counts, groups, strict=True)]
        shares = divide_channels(channels, rounded, unit, at_least_one=False)
    else:
        shares = divide_channels(channels, counts, unit)
    starts = [0 if variant.signal_from_start else sum(shares[:i]) for i in range(len(shares))]
    return WeightMapper(list(zip(starts, shares, strict=True)), counts, groups)
