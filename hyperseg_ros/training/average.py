"""One network from several runs: the mean of their weights.

Runs that start from the same weights end in the same valley, and its middle generalises better than
its sides do, at the price of one network (Wortsman et al., "Model soups", ICML 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hyperseg_ros import network

_ALIKE = ("class_names", "class_colors", "input_size", "dataset", "terms")
OF_ONE_RUN = ("miou", "iou", "seed", "sha256")
"""What a checkpoint says of itself that is not true of a network made from it."""


def average(paths: Sequence[Path]) -> tuple[network.HyperSeg, dict[str, Any]]:
    """The network with the mean of all weights and batch-norm statistics.

    Args:
        paths: checkpoints of `hyperseg train`.

    Returns:
        The network, and the first one's info with the recipe of the mean; without its figures.

    Raises:
        CheckpointError: a file is no checkpoint.
        ValueError: they are of different networks, classes, input sizes or data.
    """
    loaded = [network.load_checkpoint(path) for path in paths]
    model, info = loaded[0]
    for path, (other, other_info) in zip(paths[1:], loaded[1:]):
        if other.name != model.name:
            raise ValueError(
                f"{path} is a {other.name}, {paths[0]} a {model.name}: "
                f"only weights of one network have a mean"
            )
        for key in _ALIKE:
            if other_info.get(key) != info.get(key):
                raise ValueError(f"{path} and {paths[0]} differ in their {key.replace('_', ' ')}")
    states = [other.state_dict() for other, _ in loaded]
    network.load_weights(model, {key: _mean([state[key] for state in states]) for key in states[0]})
    merged = {key: value for key, value in info.items() if key not in OF_ONE_RUN}
    seeds = ", ".join(str(other.get("seed", "unknown")) for _, other in loaded)
    merged["training"] = (
        f"mean of the weights of {len(paths)} runs, of seeds {seeds}{_spread(loaded)}, each: "
        f"{info.get('training', 'unknown')}"
    )
    commands = [other["command"] for _, other in loaded if other.get("command")]
    merged["command"] = "; ".join([*commands, "hyperseg average"])
    return model, merged


def blend(model: torch.nn.Module, other: Mapping[str, Tensor], share: float) -> None:
    """Give a network the mean of its weights and others', in place.

    After Wortsman et al., "Robust fine-tuning of zero-shot models" (CVPR 2022): between what a
    network was and what it was fine-tuned to lies one that keeps most of both.

    Args:
        model: the network.
        other: a state dict of the same network, with the same statistics of its batch norms.
        share: of the others' weights, 0-1.
    """
    state = model.state_dict()
    model.load_state_dict(
        {
            key: value.lerp(other[key].to(value), share) if value.is_floating_point() else value
            for key, value in state.items()
        }
    )


def _spread(loaded: Sequence[tuple[network.HyperSeg, dict[str, Any]]]) -> str:
    """What each of the runs reached alone, for people."""
    figures = [info.get("miou", {}) for _, info in loaded]
    known = [dataset for dataset in figures[0] if all(dataset in each for each in figures)]
    return "".join(
        f", with {', '.join(f'{100 * each[dataset]:.1f}' for each in figures)} % on {dataset}"
        for dataset in known
    )


def _mean(values: Sequence[Tensor]) -> Tensor:
    if not values[0].is_floating_point():
        return values[0]
    return torch.stack(tuple(values)).double().mean(dim=0).to(values[0].dtype)
