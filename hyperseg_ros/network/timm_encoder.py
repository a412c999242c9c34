"""Any convolutional backbone of timm as the encoder b, where timm is installed.

With `timm:resnet18` in HyperSeg this is the network of the paper's ResNet18 rows (table 3).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hyperseg_ros.network.feature_reduction import FeatureReduction
from hyperseg_ros.network.layers import ConvNorm, SameConv2d

STRIDES = (2, 4, 8, 16, 32)


class TimmEncoder(nn.Module):
    """Features of strides 2, 4, 8, 16, 32 for the decoder, and F_n for the context head.

    Args:
        name: one of timm's, such as `resnet18`.
        reduction: fraction of each feature's channels that is kept, see `FeatureReduction`.
        head_channels: channels of F_n, a 1x1 convolution behind the last feature.
        pretrained: with timm's ImageNet weights, which it downloads.

    Raises:
        ValueError: timm knows no such backbone, or it lacks one of these strides.
        ModuleNotFoundError: timm is not installed.
    """

    def __init__(
        self,
        name: str,
        reduction: float | Sequence[float] = 0.25,
        head_channels: int = 1280,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        timm = _timm()
        if not timm.is_model(name):
            near = timm.list_models(f"{name.rstrip('0123456789')}*")[:5]
            raise ValueError(f"timm knows no '{name}'; near it are: {', '.join(near) or 'none'}")
        try:
            self.backbone = timm.create_model(name, features_only=True, pretrained=pretrained)
        except (RuntimeError, AttributeError) as error:
            raise ValueError(f"timm extracts no features from '{name}': {error}") from error
        info = self.backbone.feature_info
        # The last feature of each stride.
        indices = {stride: index for index, stride in enumerate(info.reduction())}
        if not set(STRIDES) <= indices.keys():
            raise ValueError(
                f"'{name}' has features of strides {', '.join(map(str, info.reduction()))}; "
                f"HyperSeg needs {', '.join(map(str, STRIDES))}"
            )
        self.taps = tuple(indices[stride] for stride in STRIDES)
        channels = [info.channels()[tap] for tap in self.taps]
        self.reductions = FeatureReduction(channels, reduction)
        self.feature_channels = self.reductions.out_channels
        self.head: nn.Module = ConvNorm(SameConv2d(channels[-1], head_channels, 1), nn.ReLU)
        self.head_channels = head_channels

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Encode a batch of images; as `EfficientNet.forward`."""
        maps = self.backbone(image)
        features = [maps[tap] for tap in self.taps]
        return self.reductions(features), self.head(features[-1])


def normalization(name: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation of RGB in [0, 1] that a backbone's weights were trained with.

    Raises:
        ValueError: timm knows no such backbone.
        ModuleNotFoundError: timm is not installed.
    """
    timm = _timm()
    config = timm.get_pretrained_cfg(name)
    if config is None:
        raise ValueError(f"timm knows no '{name}'")
    return tuple(config.mean), tuple(config.std)


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("encoders of timm need: pip install timm", name="timm") from error
