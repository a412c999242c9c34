"""Sizes of input images: which fit a network."""

from __future__ import annotations


def check_size(height: int, width: int, divisor: int) -> None:
    """Raise ValueError, naming the nearest valid size, unless both are multiples of divisor."""
    if height % divisor == 0 and width % divisor == 0 and min(height, width) > 0:
        return
    nearest = [max(divisor, int(n / divisor + 0.5) * divisor) for n in (height, width)]
    raise ValueError(
        f"an input of {height} x {width} (height x width) does not fit: both must be multiples of "
        f"{divisor}; the nearest valid size is {nearest[0]} x {nearest[1]}"
    )
