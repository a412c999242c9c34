"""Whether a run can go on from its last checkpoint: the same configuration, the same data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hyperseg_ros.network.checkpoint import check_finite
from hyperseg_ros.training.config import ConfigError, TrainingConfig

_PLACES = ("output", "data.root", "data.workers", "devices", "machines")
"""What may change when a run is resumed: paths and devices."""
_DATA = ("class_names", "training_images")
"""What a checkpoint holds about the data, which must stay the same when a run is resumed."""


class Resumed(NamedTuple):
    """What goes on.

    Attributes:
        config: the run, with the precision that it began with.
        data: what its checkpoint holds about its data; empty for old ones.
        ended: all its epochs are done.
    """

    config: TrainingConfig
    data: dict[str, Any]
    ended: bool


def check_resumable(config: TrainingConfig, last: Path, result: Path) -> Resumed:
    """Look into the checkpoint that a run is to go on from.

    Args:
        config: the run; its precision may be "auto".
        last: the checkpoint.
        result: where the run saves its network in the end.

    Raises:
        ConfigError: there is none, it is damaged or diverged, or had another configuration.
    """
    if not last.exists():
        raise ConfigError(f"{last}: there is no such checkpoint to resume; leave --resume out")
    try:
        checkpoint = torch.load(last, map_location="cpu", weights_only=True)
        # What a run does not say, since it is older than the key, it did as the default does.
        saved = _completed(checkpoint["config"], TrainingConfig().to_dict())
        if config.precision == "auto":
            config = replace(config, precision=saved["precision"])
        changed = _changes(saved, config.to_dict())
        ended = checkpoint["epoch"] + 1 >= config.schedule.epochs and result.exists()
        states = [checkpoint["state_dict"], checkpoint.get("current_model_state", {})]
    except OSError:
        raise
    except Exception as error:  # torch raises a different type for each way a file can be broken
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigError(
            f"{last}: the checkpoint to resume is damaged ({reason}); delete {last.parents[1]} and "
            f"start the run again without --resume"
        ) from error
    if changed:
        start = result if result.exists() else last
        raise ConfigError(
            f"{last}: the run to resume has another configuration: {'; '.join(changed)}; a run is "
            f"planned as a whole: leave that out, or train on as a new run, with name=... and "
            f"start_from={start}"
        )
    for state in states:
        check_finite(state, last)
    return Resumed(config, {key: checkpoint[key] for key in _DATA if key in checkpoint}, ended)


def check_new(last: Path) -> None:
    """Raise ConfigError where a run of this name has begun."""
    if last.exists():
        raise ConfigError(
            f"{last}: this run has begun already; add --resume to go on, "
            f"or give the new one another name=... or output=..."
        )


def check_data(saved: dict[str, Any], now: dict[str, Any], last: Path) -> None:
    """Raise ConfigError where the run had other data; checkpoints once did not say."""
    changed = _changes(saved, {key: now[key] for key in saved})
    if changed:
        raise ConfigError(
            f"{last}: the run to resume had other data: {'; '.join(changed)}; "
            f"put them back, or start a run of another name"
        )


def _completed(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    completed = {**defaults, **values}
    for key, default in defaults.items():
        if isinstance(default, dict):
            completed[key] = _completed(values.get(key, {}), default)
    return completed


def _changes(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """The changes that affect the result of a run: all but paths and devices."""
    changes = []
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _changes(old, new, f"{prefix}{key}.")
        elif old != new and f"{prefix}{key}" not in _PLACES:
            changes.append(f"{prefix}{key} was {old}, is {new}")
    return changes
