"""A configuration from a YAML file and the command line."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from hyperseg_ros.runtime.share_folders import share_folders
from hyperseg_ros.training.config import ConfigError, TrainingConfig

CONFIGS = "config/training"


def find_config(name_or_path: str) -> Path:
    """The file of a configuration, given as a path or as the name of a published one.

    Raises:
        ConfigError: there is none; names those that are published.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or len(path.parts) != 1:
        return path
    found: dict[str, Path] = {}
    for folder in share_folders(CONFIGS):
        for file in sorted(folder.glob("*.yaml")):
            found.setdefault(file.stem, file)
    if path.name not in found:
        near = difflib.get_close_matches(path.name, found, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(
            f"no configuration {name_or_path!r}: {hint}Give the path of a YAML file, or one of: "
            f"{', '.join(found)}"
        )
    return found[path.name]


def load_config(path: Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a YAML file and apply overrides to it.

    Args:
        path: the YAML file; keys that it leaves out have the defaults of `TrainingConfig`.
        overrides: `dotted.key=value`, the value in YAML.

    Raises:
        ConfigError: the file cannot be read, or a key or value is wrong.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: this is not YAML: {error}") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(values).__name__}")
    for override in overrides:
        _apply(values, override)
    return typing.cast(TrainingConfig, _build(TrainingConfig, values, prefix=""))


def _apply(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"{override!r}: an override is written key=value, as schedule.epochs=2")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{key}: {text!r} is not YAML") from error
    *sections, leaf = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{key}: {section} is a value, not a section")
    values[leaf] = value


def _build(kind: type, values: Mapping[str, Any], prefix: str) -> Any:
    """Make the dataclass `kind` of plain values."""
    types = typing.get_type_hints(kind)
    arguments = {}
    for key, value in values.items():
        if key not in types:
            raise ConfigError(f"unknown key {prefix}{key}: {_nearest(str(key), list(types))}")
        arguments[key] = _convert(types[key], value, f"{prefix}{key}")
    return kind(**arguments)


def _convert(kind: Any, value: Any, key: str) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key}: expected a section of keys and values, found {value!r}")
        return _build(typing.cast(type, kind), value, prefix=f"{key}.")
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        if not isinstance(value, (list, tuple)) or len(value) != len(kinds):
            raise ConfigError(f"{key}: expected a list of {len(kinds)} values, found {value!r}")
        return tuple(_convert(item, element, key) for item, element in zip(kinds, value))
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise ConfigError(f"{key}: unknown value {value!r}: {_nearest(str(value), choices)}")
        return value
    if kind is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        # YAML 1.1 reads 2e-3 as text: it wants 2.0e-3.
        try:
            return float(value)
        except ValueError:
            pass
    if kind in (str, Path) and value is None:  # `data.val=`, nothing in YAML, is empty
        value = ""
    if kind is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{key}: expected {kind.__name__}, found {value!r}")
    return value


def _nearest(name: str, choices: Sequence[str]) -> str:
    matches = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    valid = f"valid are {', '.join(choices)}"
    return f"did you mean {matches[0]}? ({valid})" if matches else valid
