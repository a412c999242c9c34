"""Whether a run can go on from its last checkpoint: the same configuration, the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hyperseg_ros.training.config import ConfigError, TrainingConfig

_PLACES = ("output", "data.root", "data.workers", "devices", "machines")
"""What may change when a run is resumed: where things lie and who computes them."""
_DATA = ("class_names", "training_images")
"""What a checkpoint says of the data, which stay the same when a run is resumed."""


def check_resumable(config: TrainingConfig, last: Path, resume: bool) -> dict[str, Any]:
    """What the checkpoint to resume from says of its data; empty where none is resumed."""
    if not resume:
        if last.exists():
            raise ConfigError(
                f"{last}: this run has begun already; add --resume to go on, "
                f"or give the new one another name=... or output=..."
            )
        return {}
    if not last.exists():
        raise ConfigError(f"{last}: there is no such checkpoint to resume; leave --resume out")
    try:
        checkpoint = torch.load(last, map_location="cpu", weights_only=True)
        # What a run does not say, since it is older than the key, it did as the default does.
        saved = _completed(checkpoint["config"], TrainingConfig().to_dict())
        changed = _changes(saved, config.to_dict())
    except OSError:
        raise
    except Exception as error:  # torch raises a different type for each way a file can be broken
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigError(
            f"{last}: the checkpoint to resume is damaged ({reason}); delete {last.parents[1]} and "
            f"start the run again without --resume"
        ) from error
    if changed:
        raise ConfigError(
            f"{last}: the run to resume has another configuration: {'; '.join(changed)}"
        )
    return {key: checkpoint[key] for key in _DATA if key in checkpoint}


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
    """What changes the result of a run: all but where things lie and who loads them."""
    changes = []
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _changes(old, new, f"{prefix}{key}.")
        elif old != new and f"{prefix}{key}" not in _PLACES:
            changes.append(f"{prefix}{key} was {old}, is {new}")
    return changes
