"""The features F_1..F_5 narrowed for the decoder (section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hyperseg_ros.network.layers import ConvNorm, SameConv2d


class FeatureReduction(nn.ModuleList):
    """A 1x1 convolution with batch norm for each feature of an encoder.

    Args:
        channels: of the features.
        shares: fraction of each feature's channels that is kept, one for all or one for each; 1
            passes the feature through without a convolution.

    Attributes:
        out_channels: channels of the reduced features.
    """

    def __init__(self, channels: Sequence[int], shares: float | Sequence[float]) -> None:
        shares = [shares] * len(channels) if isinstance(shares, int | float) else shares
        self.out_channels = tuple(
            max(1, round(count * share)) for count, share in zip(channels, shares, strict=True)
        )
        super().__init__(
            nn.Identity() if share == 1 else ConvNorm(SameConv2d(count, reduced, 1))
            for count, reduced, share in zip(channels, self.out_channels, shares, strict=True)
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Float [N, channels[i], H_i, W_i] to [N, out_channels[i], H_i, W_i] for each feature."""
        return [reduce(feature) for reduce, feature in zip(self, features, strict=True)]
