"""The configuration of a training run: typed, immutable, from YAML and the command line."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the key and says what to do."""


@dataclass(frozen=True)
class DataConfig:
    """What the network learns from and is validated on.

    Args:
        root: the CamVid folder, with train/, trainannot/, val/ and valannot/.
        batch_size: images a training step.
        simulated_fraction: share of a batch that is simulated, 0-1; the mix is the same every step.
        simulated_drives: simulated drives to train on.
        simulated_validation_drives: simulated drives to validate on; training never sees them.
        frames_per_drive: training frames rendered of each simulated drive.
        workers: data loading processes; 0 augments in the main process.
    """

    root: Path = Path()
    batch_size: int = 8
    simulated_fraction: float = 0.25
    simulated_drives: int = 150
    simulated_validation_drives: int = 20
    frames_per_drive: int = 4
    workers: int = 0

    def __post_init__(self) -> None:
        _require(self.batch_size >= 1, "data.batch_size", "1 or more", self.batch_size)
        fraction = self.simulated_fraction
        _require(0 <= fraction < 1, "data.simulated_fraction", "0 to below 1", fraction)
        drives = self.simulated_drives
        _require(drives >= 1 or fraction == 0, "data.simulated_drives", "1 or more", drives)
        validation = self.simulated_validation_drives
        _require(validation >= 0, "data.simulated_validation_drives", "0 or more", validation)
        frames = self.frames_per_drive
        _require(1 <= frames <= 300, "data.frames_per_drive", "1 to 300", frames)
        _require(self.workers >= 0, "data.workers", "0 or more", self.workers)
        _require(
            self.simulated_per_batch < self.batch_size,
            "data.simulated_fraction",
            "low enough to leave a real image in each batch",
            fraction,
        )

    @property
    def simulated_per_batch(self) -> int:
        """Simulated images in each batch."""
        return round(self.batch_size * self.simulated_fraction)


@dataclass(frozen=True)
class AugmentationConfig:
    """Random changes of the training images. Ranges are uniform unless said otherwise.

    Args:
        crop: height and width of the training crop, pixels.
        scale: lowest and highest scale relative to the network's input size, log-uniform.
        aspect: the ratio of horizontal to vertical scale lies in [1 / aspect, aspect],
            log-uniform: cameras of 16:9 are squeezed into a 4:3 input.
        flip: probability of a horizontal flip.
        brightness: largest change of brightness, relative.
        contrast: largest change of contrast, relative.
        saturation: largest change of saturation, relative.
        hue: largest change of hue, degrees.
        gamma: gamma lies in [1 / gamma, gamma], log-uniform.
        blur: probability of a Gaussian blur.
        noise: probability of Gaussian noise.
    """

    crop: tuple[int, int] = (256, 320)
    scale: tuple[float, float] = (0.6, 1.6)
    aspect: float = 1.35
    flip: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.2
    saturation: float = 0.4
    hue: float = 9.0
    gamma: float = 1.3
    blur: float = 0.1
    noise: float = 0.1

    def __post_init__(self) -> None:
        _require(min(self.crop) >= 1, "augmentation.crop", "two positive sizes", self.crop)
        low, high = self.scale
        _require(0 < low <= high, "augmentation.scale", "[lowest, highest], positive", self.scale)
        for name in ("aspect", "gamma"):
            value = getattr(self, name)
            _require(value >= 1, f"augmentation.{name}", "1 or more", value)
        for name in ("flip", "blur", "noise", "brightness", "contrast", "saturation"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"augmentation.{name}", "0 to 1", value)
        _require(0 <= self.hue <= 180, "augmentation.hue", "0 to 180 degrees", self.hue)


@dataclass(frozen=True)
class LossConfig:
    """The training loss; see `hyperseg_ros.training.losses`.

    Args:
        name: "hard_pixels" (half mean, half hardest pixels) or "bootstrapped" (the paper's).
        hard_fraction: hard_pixels: the share of pixels that count as hard, 0-1.
        class_balance: hard_pixels: how far rare classes weigh more, 0 (not at all) to 1.
        k: bootstrapped: fewest pixels of each image that count.
        threshold: bootstrapped: all pixels with a larger loss count.
    """

    name: Literal["hard_pixels", "bootstrapped"] = "hard_pixels"
    hard_fraction: float = 0.25
    class_balance: float = 0.0
    k: int = 4096
    threshold: float = 0.3

    def __post_init__(self) -> None:
        fraction = self.hard_fraction
        _require(0 < fraction <= 1, "loss.hard_fraction", "above 0, at most 1", fraction)
        balance = self.class_balance
        _require(0 <= balance <= 1, "loss.class_balance", "0 to 1", balance)
        _require(self.k >= 1, "loss.k", "1 or more", self.k)
        _require(self.threshold >= 0, "loss.threshold", "0 or more", self.threshold)


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW (Loshchilov and Hutter, 2019).

    Args:
        learning_rate: peak learning rate of all but the encoder.
        encoder_learning_rate: peak learning rate of the encoder.
        weight_decay: of convolution weights; biases and batch normalisation have none.
    """

    learning_rate: float = 2e-3
    encoder_learning_rate: float = 5e-4
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        for name in ("learning_rate", "encoder_learning_rate"):
            value = getattr(self, name)
            _require(value > 0, f"optimizer.{name}", "above 0", value)
        decay = self.weight_decay
        _require(decay >= 0, "optimizer.weight_decay", "0 or more", decay)


@dataclass(frozen=True)
class ScheduleConfig:
    """One learning-rate cycle (Smith and Topin, 2018) over the whole run.

    Args:
        epochs: passes over camvid/train.
        warmup: share of the steps in which the learning rate rises, 0-1.
        ema_decay: decay of the moving average of the weights a step, 0-1.
        validate_every: epochs from one validation to the next; the last epoch always has one.
    """

    epochs: int = 32
    warmup: float = 0.1
    ema_decay: float = 0.998
    validate_every: int = 4

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, "schedule.epochs", "1 or more", self.epochs)
        _require(0 < self.warmup < 1, "schedule.warmup", "between 0 and 1", self.warmup)
        decay = self.ema_decay
        _require(0 <= decay < 1, "schedule.ema_decay", "0 to below 1", decay)
        every = self.validate_every
        _require(every >= 1, "schedule.validate_every", "1 or more", every)


@dataclass(frozen=True)
class TrainingConfig:
    """One training run.

    Args:
        name: name of the run and of the model it makes.
        variant: a network of `hyperseg_ros.network`.
        pretrained_encoder: start from ImageNet weights.
        start_from: a checkpoint of `hyperseg train` to start from instead, with all its weights;
            of the same variant and number of classes. Empty: none.
        input_size: height and width the model is made for, pixels; validation runs at it.
        seed: seed of everything random.
        precision: Lightning's name of the arithmetic; "bf16-mixed" needs a CPU or GPU that has it.
        output: folder of the run; its checkpoints, curves and final model lie in output/name.
    """

    name: str = "hyperseg-s-lite0-camvid"
    variant: str = "hyperseg-s-lite0"
    pretrained_encoder: bool = True
    start_from: Path = Path()
    input_size: tuple[int, int] = (384, 512)
    seed: int = 1
    precision: Literal["bf16-mixed", "16-mixed", "32-true"] = "bf16-mixed"
    output: Path = Path("runs")
    data: DataConfig = field(default_factory=DataConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def __post_init__(self) -> None:
        name_ok = bool(self.name) and Path(self.name).name == self.name
        _require(name_ok, "name", "a plain file name", self.name)
        _require(min(self.input_size) >= 1, "input_size", "two positive sizes", self.input_size)
        _require(self.seed >= 0, "seed", "0 or more", self.seed)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as YAML and checkpoints hold it: plain mappings, lists and scalars."""
        return typing.cast("dict[str, Any]", _plain(dataclasses.asdict(self)))


def load_config(path: Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a YAML file and apply overrides to it.

    Args:
        path: the YAML file; keys it leaves out have the defaults above.
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
    if kind is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{key}: expected {kind.__name__}, found {value!r}")
    return value


def _nearest(name: str, choices: Sequence[str]) -> str:
    matches = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    valid = f"valid are {', '.join(choices)}"
    return f"did you mean {matches[0]}? ({valid})" if matches else valid


def _require(condition: bool, key: str, expected: str, value: object) -> None:
    if not condition:
        raise ConfigError(f"{key} must be {expected}, not {value}")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
