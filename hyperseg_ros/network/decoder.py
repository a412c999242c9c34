"""The decoder d: meta blocks from the coarsest feature to the finest (section 3.3, figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperseg_ros.network.layers import memory_format
from hyperseg_ros.network.meta_blocks import (
    Halo,
    MetaBlock,
    PatchConvolution,
    PatchInvertedResidual,
)
from hyperseg_ros.network.patches import OPERATORS


class Decoder(nn.Module):
    """S = d({F_i}, {P_i} | {θ_mi}), one meta block per level.

    Args:
        feature_channels: channels of what each level takes in, coarse to fine.
        level_channels: output channels of the levels; the last is the number of classes.
        kernel_sizes: 1 for a `PatchConvolution`, 3 for a `PatchInvertedResidual`.
        halo: see `meta_blocks.Halo`.
    """

    def __init__(
        self,
        feature_channels: Sequence[int],
        level_channels: Sequence[int],
        kernel_sizes: Sequence[int],
        halo: Halo = "patch",
    ) -> None:
        super().__init__()
        self.num_classes = level_channels[-1]
        self.levels = nn.ModuleList()
        previous = 0
        for features, channels, kernel in zip(
            feature_channels, level_channels, kernel_sizes, strict=True
        ):
            in_channels = 2 + features + previous
            self.levels.append(
                PatchConvolution(in_channels, channels)
                if kernel == 1
                else PatchInvertedResidual(in_channels, channels, halo=halo)
            )
            previous = channels

    @property
    def weight_counts(self) -> list[int]:
        """Weights per patch that each level needs."""
        return [block.weight_count for block in self.meta_blocks()]

    def meta_blocks(self) -> list[MetaBlock]:
        """The levels, coarse to fine."""
        return [cast(MetaBlock, level) for level in self.levels]

    def use_operators(self, name: str) -> None:
        """Compute the dynamic convolutions in one of the forms of `patches.OPERATORS`."""
        for block in self.meta_blocks():
            block.operators = OPERATORS[name]

    def forward(self, features: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
        """Decode a batch.

        Args:
            features: the image, then the encoder's features, float [N, C_i, H_i, W_i], each half
                the size of the one before. The levels take them from the last to the first; with
                fewer levels the first ones are not used.
            weights: of each level, float [N, weight_counts[i], rows, columns], one pixel per patch.

        Returns:
            Logits, float [N, classes, H, W] at the finest feature's size.
        """
        x: Tensor | None = None
        for level, feature, weight in zip(self.levels, reversed(features), weights):
            planes = [position_planes(feature), feature]
            if x is not None:
                planes.append(resized(x, feature.shape[2:]))
            x = level(torch.cat(planes, dim=1), weight)
        assert x is not None
        return x


def position_planes(like: Tensor) -> Tensor:
    """P_i: x and y of every pixel in [-1, 1], float [N, 2, H, W], corners at the ends.

    In the memory format of `like`; otherwise concatenation would lose channels-last.
    """
    n, _, h, w = like.shape
    x = torch.linspace(-1, 1, w, device=like.device).expand(h, w)
    y = torch.linspace(-1, 1, h, device=like.device)[:, None].expand(h, w)
    planes = torch.stack((x, y)).to(like.dtype).expand(n, 2, h, w)
    return planes.contiguous(memory_format=memory_format(like))


def resized(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize, corners not aligned; x itself where it has that size."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return functional.interpolate(x, tuple(size), mode="bilinear", align_corners=False)
