"""The weight mapper w: from the signal φ to the weights of every patch (section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby

from torch import Tensor, nn


class WeightMapper(nn.Module):
    """θ_mi = w_i(φ | θ_w): one bias-free grouped 1x1 convolution per meta block.

    Args:
        slices: for each convolution the first channel and the number of channels of φ it reads.
        weight_counts: for each, the weights per patch of the meta block that it serves, or of the
            meta blocks that share it.
        groups: for each, the groups of its convolution; they divide its channels.
    """

    def __init__(
        self,
        slices: Sequence[tuple[int, int]],
        weight_counts: Sequence[Sequence[int]],
        groups: Sequence[int],
    ) -> None:
        super().__init__()
        self.slices = tuple(slices)
        self.weight_counts = tuple(map(tuple, weight_counts))
        self.maps = nn.ModuleList(
            nn.Conv2d(channels, round_up(sum(counts), group), 1, bias=False, groups=group)
            for (_, channels), counts, group in zip(slices, weight_counts, groups, strict=True)
        )

    def forward(self, signal: Tensor) -> list[Tensor]:
        """φ, float [N, C, rows, cols], to float [N, weights, rows, cols] for each meta block."""
        weights: list[Tensor] = []
        for conv, (start, channels), counts in zip(
            self.maps, self.slices, self.weight_counts, strict=True
        ):
            generated = conv(signal[:, start : start + channels])
            ends = list(accumulate(counts))
            weights += [generated[:, end - count : end] for count, end in zip(counts, ends)]
        return weights


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple that is not below the value."""
    return -(-value // multiple) * multiple


def divide_channels(
    channels: int, weight_counts: Sequence[int], unit: int, at_least_one: bool = True
) -> list[int]:
    """Share out the channels of φ in proportion to the weights that each block needs.

    Blocks that need the same get the same; the group that needs least in total gets what rounding
    leaves over. This is the published algorithm, on which the shapes of checkpoints depend.

    Args:
        channels: channels of φ, a multiple of `unit`.
        weight_counts: weights per patch, for each block.
        unit: every share is a multiple of it.
        at_least_one: give each block one unit before the rest is shared out (published v1.0);
            v0.1 shares out all of it at once.

    Raises:
        ValueError: the channels are no multiple of the unit, or too few.
    """
    if channels % unit:
        raise ValueError(f"{channels} signal channels are no multiple of {unit}, the largest group")
    order = sorted(range(len(weight_counts)), key=weight_counts.__getitem__)
    groups = [list(blocks) for _, blocks in groupby(order, key=weight_counts.__getitem__)]
    groups.sort(key=lambda blocks: sum(weight_counts[b] for b in blocks), reverse=True)
    units = channels // unit
    ratio = units / sum(weight_counts)
    floor = 1 if at_least_one else 0
    remaining = units - floor * len(weight_counts)
    if remaining < 0:
        raise ValueError(f"{channels} signal channels are too few for {len(weight_counts)} blocks")

    shares = [0] * len(weight_counts)
    for position, blocks in enumerate(groups):
        size = len(blocks)
        if position == len(groups) - 1:
            extra = remaining
        else:
            wanted = max(sum(weight_counts[b] for b in blocks) * ratio, size if floor else 1)
            extra = min(int(wanted // size) * size - floor * size, remaining)
        remaining -= extra
        for block in blocks:
            shares[block] = (floor + extra // size) * unit
    return shares
