"""The encoder b: EfficientNet and EfficientNet-Lite with the classifier removed.

Tan and Le, "EfficientNet" (ICML 2019), and the Lite variants of the same authors: no
squeeze-and-excitation, ReLU6 instead of SiLU, stem and head not widened, first and last stage not
deepened. HyperSeg (section 3.1) takes the last feature of each stride, 2 to 32, each but the last
narrowed by a 1x1 convolution for the decoder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from hyperseg_ros.network.feature_reduction import FeatureReduction
from hyperseg_ros.network.layers import Activation, ConvNorm, SameConv2d, Swish
from hyperseg_ros.network.squeeze_excitation import SqueezeExcitation


class Stage(NamedTuple):
    """A row of EfficientNet's table 1."""

    repeats: int
    kernel_size: int
    stride: int
    expansion: int
    out_channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
SQUEEZE_RATIO = 0.25


@dataclass(frozen=True)
class Scaling:
    """Compound scaling of one EfficientNet.

    Attributes:
        width, depth: factors of the channels and of the repeats of blocks.
        image_size: height and width (pixels) it was made for; None where padding ignores it.
        lite: of the Lite family.
    """

    width: float
    depth: float
    image_size: int | None = None
    lite: bool = False

    def channels(self, base: int) -> int:
        """Base channels times the width, to the nearest multiple of 8 that cuts 10 % at most."""
        scaled = base * self.width
        rounded = max(8, int(scaled + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * scaled else rounded

    def repeats(self, base: int) -> int:
        """Base repeats of a block times the depth, rounded up."""
        return math.ceil(base * self.depth)


SCALINGS = {
    "efficientnet-b0": Scaling(1.0, 1.0, 224),
    "efficientnet-b1": Scaling(1.0, 1.1, 240),
    "efficientnet-b2": Scaling(1.1, 1.2, 260),
    "efficientnet-b3": Scaling(1.2, 1.4, 300),
    "efficientnet-b4": Scaling(1.4, 1.8, 380),
    "efficientnet-b5": Scaling(1.6, 2.2, 456),
    "efficientnet-b6": Scaling(1.8, 2.6, 528),
    "efficientnet-b7": Scaling(2.0, 3.1, 600),
    "efficientnet-lite0": Scaling(1.0, 1.0, lite=True),
    "efficientnet-lite1": Scaling(1.0, 1.1, lite=True),
    "efficientnet-lite2": Scaling(1.1, 1.2, lite=True),
    "efficientnet-lite3": Scaling(1.2, 1.4, lite=True),
    "efficientnet-lite4": Scaling(1.4, 1.8, lite=True),
}


class InvertedResidual(nn.Module):
    """MBConv: expand 1x1, depthwise, squeeze-excite, project 1x1, skip where shapes allow.

    Args:
        in_channels: channels of the input.
        stage: the row of the table the block belongs to.
        stride: of this block; the stage's own holds for its first block only.
        activation: behind the expansion and the depthwise convolution.
        squeeze: with squeeze-and-excitation.
        padded_for: see `SameConv2d`.
    """

    def __init__(
        self,
        in_channels: int,
        stage: Stage,
        stride: int,
        activation: Activation,
        squeeze: bool,
        padded_for: int | None,
    ) -> None:
        super().__init__()
        hidden = in_channels * stage.expansion
        self.expand = (
            ConvNorm(SameConv2d(in_channels, hidden, 1), activation)
            if stage.expansion != 1
            else nn.Identity()
        )
        depthwise = SameConv2d(
            hidden, hidden, stage.kernel_size, stride, groups=hidden, padded_for=padded_for
        )
        self.depthwise = ConvNorm(depthwise, activation)
        self.squeeze_excitation = (
            SqueezeExcitation(hidden, max(1, int(in_channels * SQUEEZE_RATIO)))
            if squeeze
            else nn.Identity()
        )
        self.project = ConvNorm(SameConv2d(hidden, stage.out_channels, 1))
        self.skip = stride == 1 and in_channels == stage.out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.squeeze_excitation(self.depthwise(self.expand(x))))
        return x + y if self.skip else y


class EfficientNet(nn.Module):
    """Features of strides 2, 4, 8, 16, 32 for the decoder, and F_n for the context head.

    Args:
        name: a key of `SCALINGS`.
        reduction: fraction of each feature's channels that is kept, see `FeatureReduction`.
        head_channels: channels of F_n, the 1x1 convolution behind the last block; None takes
            EfficientNet's own (1280, scaled by the width except in Lite).

    Raises:
        ValueError: the name is unknown.
    """

    def __init__(
        self,
        name: str,
        reduction: float | Sequence[float] = 0.25,
        head_channels: int | None = None,
    ) -> None:
        super().__init__()
        if name not in SCALINGS:
            raise ValueError(f"no encoder '{name}'; there are: {', '.join(SCALINGS)}")
        scaling = SCALINGS[name]
        activation: Activation = partial(nn.ReLU6, inplace=True) if scaling.lite else Swish
        size = scaling.image_size
        channels = STEM_CHANNELS if scaling.lite else scaling.channels(STEM_CHANNELS)
        self.stem = ConvNorm(SameConv2d(3, channels, 3, 2, padded_for=size), activation)
        size = _halved(size)

        blocks: list[nn.Module] = []
        taps: list[int] = []
        tap_channels: list[int] = []
        for number, base in enumerate(STAGES):
            stage = base._replace(out_channels=scaling.channels(base.out_channels))
            fixed_depth = scaling.lite and number in (0, len(STAGES) - 1)
            repeats = base.repeats if fixed_depth else scaling.repeats(base.repeats)
            if stage.stride == 2:
                taps.append(len(blocks) - 1)
                tap_channels.append(channels)
            for repeat in range(repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(
                    InvertedResidual(channels, stage, stride, activation, not scaling.lite, size)
                )
                size = _halved(size) if stride == 2 else size
                channels = stage.out_channels
        taps.append(len(blocks) - 1)
        tap_channels.append(channels)
        self.blocks = nn.ModuleList(blocks)
        self.taps = tuple(taps)

        self.reductions = FeatureReduction(tap_channels, reduction)
        self.feature_channels = self.reductions.out_channels
        if head_channels is None:
            head_channels = HEAD_CHANNELS if scaling.lite else scaling.channels(HEAD_CHANNELS)
        self.head: nn.Module = ConvNorm(SameConv2d(channels, head_channels, 1), activation)
        self.head_channels = head_channels

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Encode a batch of images.

        Args:
            image: float [N, 3, H, W], normalised RGB; H and W multiples of 32.

        Returns:
            The five reduced features, float [N, C_i, H / 2^i, W / 2^i] for i in 1..5, and F_n,
            float [N, head_channels, H / 32, W / 32].
        """
        x = self.stem(image)
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                features.append(x)
        return self.reductions(features), self.head(x)


def _halved(size: int | None) -> int | None:
    return None if size is None else (size + 1) // 2
