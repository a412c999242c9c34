"""Checkpoints: ours, which say what they are, and the published ones."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hyperseg_ros.files import writing
from hyperseg_ros.network.hyperseg import HyperSeg
from hyperseg_ros.network.official import from_official, is_official
from hyperseg_ros.network.variants import VARIANTS
from hyperseg_ros.network.zoo import build

FORMAT = "hyperseg"
_NAMES_SHOWN = 8


class CheckpointError(ValueError):
    """A file is no checkpoint, or does not fit the network; the message says how."""


def save_checkpoint(path: str | os.PathLike[str], network: HyperSeg, **info: Any) -> None:
    """Write weights with what it takes to build the network again.

    Args:
        path: written atomically; its folder is created if necessary.
        network: one that `build` made.
        info: plain values (str, int, float, list, dict) to go with it: classes, colours, recipe.

    Raises:
        OSError: the file cannot be written, as on a full disk; an existing file is kept.
    """
    checkpoint = {
        "format": FORMAT,
        "variant": network.name,
        "num_classes": network.num_classes,
        "info": info,
        "state_dict": network.state_dict(),
    }
    # Through memory: PyTorch's own writer hides what went wrong with the disk.
    content = io.BytesIO()
    torch.save(checkpoint, content)
    with writing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_checkpoint(
    path: str | os.PathLike[str], variant: str | None = None
) -> tuple[HyperSeg, dict[str, Any]]:
    """Build the network of a checkpoint, in evaluation mode, on the CPU.

    Args:
        path: a file of `save_checkpoint`, or a published one.
        variant: name of the network; must be given for a published file, which doesn't say.

    Returns:
        The network and the info it was saved with, with `sha256` of the file added.

    Raises:
        CheckpointError: the file is missing, no checkpoint, or its weights don't fit or are not
            finite.
        ValueError: no variant of that name.
    """
    path = Path(path)
    content = _read(path)
    ours = content.get("format") == FORMAT
    name = variant or (content.get("variant") if ours else None)
    if not isinstance(name, str):
        raise CheckpointError(
            f"{path} does not say which network it is; name the variant: {', '.join(VARIANTS)}"
        )
    num_classes = content.get("num_classes") if ours else None
    if not (num_classes is None or (isinstance(num_classes, int) and num_classes > 0)):
        raise CheckpointError(f"{path}: num_classes {num_classes!r} is not a positive integer")
    check_finite(content["state_dict"], path)
    network = build(name, num_classes)
    try:
        load_weights(network, content["state_dict"])
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    info = dict(content.get("info") or {}) if ours else {}
    info["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return network.eval(), info


def load_weights(network: HyperSeg, state: Mapping[str, Tensor]) -> None:
    """Fill a network from a state dict under our names or the published ones.

    Raises:
        CheckpointError: keys are missing, extra, or of another shape; names them.
    """
    given = from_official(state) if is_official(state) else dict(state)
    wanted = network.state_dict()
    complaints = [
        _complaint("missing", sorted(wanted.keys() - given.keys())),
        _complaint("extra", sorted(given.keys() - wanted.keys())),
        _complaint(
            "of another shape",
            [
                f"{key} {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}"
                for key in sorted(wanted.keys() & given.keys())
                if given[key].shape != wanted[key].shape
            ],
        ),
    ]
    if any(complaints):
        raise CheckpointError(
            "the weights do not fit this network: " + "; ".join(filter(None, complaints))
        )
    network.load_state_dict(given)


def check_finite(state: Mapping[str, Tensor], path: Path) -> None:
    """Raise CheckpointError where weights are NaN or infinite, as a run that diverged has them."""
    bad = [key for key, value in state.items() if not value.isfinite().all()]
    if bad:
        raise CheckpointError(
            f"{path}: {len(bad)} of {len(state)} tensors are not finite (NaN or infinity), such as "
            f"{bad[0]}: the run that wrote it diverged; use an earlier checkpoint"
        )


def _read(path: Path) -> Mapping[str, Any]:
    """What a checkpoint holds, with tensors under `state_dict`."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"no checkpoint at {path}") from error
    except Exception as error:  # torch raises a different type for each way a file can be broken
        reason, _, _ = str(error).partition("\n")
        raise CheckpointError(
            f"{path} is no PyTorch checkpoint of plain weights: {reason}"
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} has no 'state_dict': not a HyperSeg checkpoint")
    if "pytorch-lightning_version" in content:
        raise CheckpointError(
            f"{path} is the state of a run in progress, for `hyperseg train --resume`; the result "
            "of a run is NAME/NAME.pt"
        )
    if _are_weights(content):
        return {"state_dict": content}
    if not _are_weights(content.get("state_dict")):
        raise CheckpointError(f"{path} has no 'state_dict' of tensors: not a HyperSeg checkpoint")
    return content


def _are_weights(state: Any) -> bool:
    return (
        isinstance(state, Mapping)
        and len(state) > 0
        and all(isinstance(key, str) for key in state)
        and all(isinstance(value, Tensor) for value in state.values())
    )


def _complaint(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - _NAMES_SHOWN} more" if len(keys) > _NAMES_SHOWN else ""
    return f"{len(keys)} {what} ({', '.join(keys[:_NAMES_SHOWN])}{more})"
