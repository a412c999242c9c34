"""Names in the published checkpoints (YuvalNirkin/hyperseg) and in ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_ENCODER = (
    (r"_conv_stem\.", "stem.conv."),
    (r"_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand.conv."),
    (r"_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.norm."),
    (r"_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise.conv."),
    (r"_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.norm."),
    (r"_blocks\.(\d+)\._se_(reduce|expand)\.", r"blocks.\1.squeeze_excitation.\2."),
    (r"_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project.conv."),
    (r"_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.norm."),
    (r"_feat_fc_(\d+)\.0\.", r"reductions.\1.conv."),
    (r"_feat_fc_(\d+)\.1\.", r"reductions.\1.norm."),
    (r"_conv_head\.", "head.conv."),
    (r"_bn0\.", "stem.norm."),
    (r"_bn1\.", "head.norm."),
)
_CONTEXT_HEAD = (
    (r"in_conv\.0\.", "reduce.conv."),
    (r"in_conv\.1\.", "reduce.norm."),
    (r"(down|up)_blocks\.(\d+)\.0\.", r"\1.\2.conv."),
    (r"(down|up)_blocks\.(\d+)\.1\.", r"\1.\2.norm."),
    (r"(down)_(\d+)\.0\.", r"\1.\2.conv."),
    (r"(down)_(\d+)\.1\.", r"\1.\2.norm."),
    (r"flat_(\d+)\.0\.", r"up.\1.conv."),
    (r"flat_(\d+)\.1\.", r"up.\1.norm."),
)
_DECODER = (
    (r"level(?:_|_blocks\.)(\d+)\.0\.1\.", r"levels.\1.norm."),
    (r"level(?:_|_blocks\.)(\d+)\.0\.bn(\d)\.", r"levels.\1.norm\2."),
)
_WEIGHT_MAPPER = (
    (r"decoder\.level_(\d+)\.0\.(?:0\.)?signal2weights\.", r"weight_mapper.maps.\1."),
    (r"decoder\.weight_blocks\.(\d+)\.signal2weights\.", r"weight_mapper.maps.\1."),
    (r"weight_mapper\.out_conv\.conv_(\d+)\.", r"weight_mapper.maps.\1."),
)


def encoder_key(key: str) -> str:
    """Our encoder's name for a name of lukemelas/EfficientNet-PyTorch, published or Lite."""
    return _renamed(key, _ENCODER)


def network_key(key: str) -> str:
    """Our network's name for a name in a published HyperSeg checkpoint, without `module.`."""
    mapped = _renamed(key, _WEIGHT_MAPPER)
    if mapped != key:
        return mapped
    part, _, rest = key.partition(".")
    if part == "backbone":
        return f"encoder.{encoder_key(rest)}"
    if part == "weight_mapper":
        return f"context_head.{_renamed(rest, _CONTEXT_HEAD)}"
    if part == "decoder":
        legacy = re.match(r"level_(\d+)\.0\.conv\.(\d)\.1\.(.*)", rest)
        if legacy:
            level, norm, name = legacy.groups()
            return f"decoder.levels.{level}.norm{int(norm) + 1}.{name}"
        return f"decoder.{_renamed(rest, _DECODER)}"
    return key


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict under our names, without cached coordinates."""
    plain = {key.removeprefix("module."): value for key, value in state.items()}
    return {
        network_key(key): value
        for key, value in plain.items()
        if not key.startswith("decoder.coord")
    }


def is_official(state: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of the published code."""
    return any(key.removeprefix("module.").startswith("backbone.") for key in state)


def _renamed(key: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, name in rules:
        renamed, count = re.subn("^" + pattern, name, key)
        if count:
            return renamed
    return key
