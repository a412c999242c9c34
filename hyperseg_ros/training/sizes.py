"""Whether the sizes of a run fit the network and each other, before anything is loaded."""

from __future__ import annotations

import math

from hyperseg_ros.sizes import check_size
from hyperseg_ros.training.config import ConfigError, TrainingConfig


def check_sizes(config: TrainingConfig, divisor: int, devices: int = 1) -> str:
    """Check crop, input size and batch size.

    Args:
        config: the run.
        divisor: both sides of the network's input must be multiples of it; the stride of its
            deepest map.
        devices: how many share a batch, each with batch norms of its own.

    Returns:
        A warning where crops are larger than images ever are; else empty.

    Raises:
        ConfigError: a size does not fit the network, or a batch norm would see one value.
    """
    crop, size = config.augmentation.crop, config.input_size
    for key, sides in (("augmentation.crop", crop), ("input_size", size)):
        try:
            check_size(*sides, divisor)
        except ValueError as error:
            raise ConfigError(f"{key}: {error}") from None
    batch = config.data.batch_size // devices
    if batch * (crop[0] // divisor) * (crop[1] // divisor) == 1:
        raise ConfigError(
            f"data.batch_size: crops of {crop[0]} x {crop[1]} are one pixel in the network's "
            f"deepest map, and a batch norm needs two: give each device 2 images a batch, or make "
            f"augmentation.crop larger"
        )
    # Height and width are stretched by sqrt(aspect) against each other at most.
    stretch = config.augmentation.scale[1] * math.sqrt(config.augmentation.aspect)
    filled = math.prod(min(1, stretch * side / needed) for side, needed in zip(size, crop))
    if filled == 1:
        return ""
    return (
        f"warning: augmentation.crop of {crop[0]} x {crop[1]} is larger than an image of "
        f"{size[0]} x {size[1]} (input_size) at its largest scale: {100 * (1 - filled):.0f} % of "
        f"each crop or more is border, without labels"
    )
