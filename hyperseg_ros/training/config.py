"""The configuration of a training run: typed, immutable, from YAML and the command line."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Dataset = Literal[
    "camvid", "camvid-960", "camvid-hyperseg", "cityscapes", "voc", "folder", "packed"
]
"""The names of `hyperseg_ros.training.datasets.DATASETS`, for checking without loading them."""


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the key and says what to do."""


@dataclass(frozen=True)
class DataConfig:
    """What the network learns from and is validated on.

    Args:
        dataset: a data set of `hyperseg_ros.training.datasets`.
        root: its folder; the file, for "packed".
        train: the split to learn from, or several as in "train+val".
        val: the split to validate on; empty for none.
        batch_size: images per training step, over all devices.
        simulated_fraction: share of a batch that is simulated, 0-1; the mix is the same every step.
            Simulated streets have CamVid's 11 classes.
        simulated_drives: simulated drives to train on.
        simulated_variety: share of these drives with other cameras, lenses, weathers and buildings
            than CamVid's, 0-1.
        simulated_validation_drives: simulated drives to validate on; training never sees them.
        frames_per_drive: training frames rendered of each simulated drive.
        workers: data loading processes per device; 0 augments in the main process.
    """

    dataset: Dataset = "camvid"
    root: Path = Path()
    train: str = "train"
    val: str = "val"
    batch_size: int = 8
    simulated_fraction: float = 0.0
    simulated_drives: int = 150
    simulated_variety: float = 0.0
    simulated_validation_drives: int = 0
    frames_per_drive: int = 4
    workers: int = 0

    def __post_init__(self) -> None:
        _require(self.batch_size >= 1, "data.batch_size", "1 or more", self.batch_size)
        _require(bool(self.train), "data.train", "a split, such as train", repr(self.train))
        fraction = self.simulated_fraction
        _require(0 <= fraction < 1, "data.simulated_fraction", "0 to below 1", fraction)
        drives = self.simulated_drives
        _require(drives >= 1 or fraction == 0, "data.simulated_drives", "1 or more", drives)
        variety = self.simulated_variety
        _require(0 <= variety <= 1, "data.simulated_variety", "0 to 1", variety)
        validation = self.simulated_validation_drives
        _require(validation >= 0, "data.simulated_validation_drives", "0 or more", validation)
        frames = self.frames_per_drive
        _require(1 <= frames <= 300, "data.frames_per_drive", "1 to 300", frames)
        _require(self.workers >= 0, "data.workers", "0 or more", self.workers)
        _require(
            fraction == 0 or self.simulated_per_batch > 0,
            "data.simulated_fraction",
            f"0, or at least an image of a batch of {self.batch_size}: {1 / self.batch_size:g}",
            fraction,
        )
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
        rotation: largest rotation either way, degrees.
        flip: probability of a horizontal flip.
        brightness: largest change of brightness, relative.
        contrast: largest change of contrast, relative.
        saturation: largest change of saturation, relative.
        hue: largest change of hue, degrees.
        gamma: gamma lies in [1 / gamma, gamma], log-uniform.
        blur: probability of a Gaussian blur.
        noise: probability of Gaussian noise.
        corruption: probability of one of `hyperseg_ros.training.corruptions`, of any severity.
    """

    crop: tuple[int, int] = (256, 320)
    scale: tuple[float, float] = (0.6, 1.6)
    aspect: float = 1.35
    rotation: float = 0.0
    flip: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.2
    saturation: float = 0.4
    hue: float = 9.0
    gamma: float = 1.3
    blur: float = 0.1
    noise: float = 0.1
    corruption: float = 0.0

    def __post_init__(self) -> None:
        _require(min(self.crop) >= 1, "augmentation.crop", "two positive sizes", self.crop)
        low, high = self.scale
        _require(0 < low <= high, "augmentation.scale", "[lowest, highest], positive", self.scale)
        for name in ("aspect", "gamma"):
            value = getattr(self, name)
            _require(value >= 1, f"augmentation.{name}", "1 or more", value)
        for name in ("flip", "blur", "noise", "corruption", "brightness", "contrast", "saturation"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"augmentation.{name}", "0 to 1", value)
        for name in ("hue", "rotation"):
            value = getattr(self, name)
            _require(0 <= value <= 180, f"augmentation.{name}", "0 to 180 degrees", value)


@dataclass(frozen=True)
class LossConfig:
    """The training loss; see `hyperseg_ros.training.losses`.

    Args:
        name: "hard_pixels" (half mean, half hardest pixels), "bootstrapped" (the paper's) or
            "cross_entropy" (the mean).
        hard_fraction: hard_pixels: the share of pixels that count as hard, 0-1.
        class_balance: hard_pixels: how far rare classes weigh more, 0 (not at all) to 1.
        k: bootstrapped: fewest pixels of each image that count.
        threshold: bootstrapped: all pixels with a larger loss count.
        lovasz: share of the Lovász softmax loss, the surrogate of mIoU, in the sum, 0-1.
        ground_edge: share of the loss of "ground or not" beside the lines where ground ends, in the
            sum with all of the above, 0-1: for free space. Needs a class that is ground.
    """

    name: Literal["hard_pixels", "bootstrapped", "cross_entropy"] = "hard_pixels"
    hard_fraction: float = 0.25
    class_balance: float = 0.0
    k: int = 4096
    threshold: float = 0.3
    lovasz: float = 0.0
    ground_edge: float = 0.0

    def __post_init__(self) -> None:
        fraction = self.hard_fraction
        _require(0 < fraction <= 1, "loss.hard_fraction", "above 0, at most 1", fraction)
        balance = self.class_balance
        _require(0 <= balance <= 1, "loss.class_balance", "0 to 1", balance)
        _require(self.k >= 1, "loss.k", "1 or more", self.k)
        _require(self.threshold >= 0, "loss.threshold", "0 or more", self.threshold)
        _require(0 <= self.lovasz <= 1, "loss.lovasz", "0 to 1", self.lovasz)
        _require(0 <= self.ground_edge <= 1, "loss.ground_edge", "0 to 1", self.ground_edge)


@dataclass(frozen=True)
class DistillationConfig:
    """What a larger trained network teaches; see `hyperseg_ros.training.distillation`.

    Args:
        teacher: a checkpoint or model file of the same classes, or a shipped model's name. Empty:
            none.
        weight: the teacher's share in the loss, 0-1.
    """

    teacher: Path = Path()
    weight: float = 0.5

    def __post_init__(self) -> None:
        _require(0 <= self.weight <= 1, "distillation.weight", "0 to 1", self.weight)


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam (Kingma and Ba, 2015), or with decoupled weight decay (Loshchilov and Hutter, 2019).

    Args:
        name: "adamw" or "adam".
        learning_rate: peak learning rate of all but the encoder.
        encoder_learning_rate: peak learning rate of the encoder.
        weight_decay: of convolution weights; biases and batch normalisation have none.
        betas: decay rates of the two moments, 0-1.
    """

    name: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = 2e-3
    encoder_learning_rate: float = 5e-4
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        for name in ("learning_rate", "encoder_learning_rate"):
            value = getattr(self, name)
            _require(value > 0, f"optimizer.{name}", "above 0", value)
        decay = self.weight_decay
        _require(decay >= 0, "optimizer.weight_decay", "0 or more", decay)
        fits = all(0 <= beta < 1 for beta in self.betas)
        _require(fits, "optimizer.betas", "two rates from 0 to below 1", self.betas)


@dataclass(frozen=True)
class ScheduleConfig:
    """How long the run lasts and how the learning rate goes.

    Args:
        name: "one_cycle" (Smith and Topin, 2018), or "poly", the paper's: the share of the run that
            is left, to a power.
        epochs: how many.
        epoch_images: images of the data set per epoch; 0 for all of them, once.
        warmup: one_cycle: share of the steps in which the learning rate rises, 0-1.
        power: poly: the power.
        ema_decay: decay of the moving average of the weights per step, 0-1.
        validate_every: epochs from one validation to the next; the last epoch always has one.
    """

    name: Literal["one_cycle", "poly"] = "one_cycle"
    epochs: int = 32
    epoch_images: int = 0
    warmup: float = 0.1
    power: float = 0.9
    ema_decay: float = 0.998
    validate_every: int = 4

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, "schedule.epochs", "1 or more", self.epochs)
        images = self.epoch_images
        _require(images >= 0, "schedule.epoch_images", "0 or more", images)
        _require(0 < self.warmup < 1, "schedule.warmup", "between 0 and 1", self.warmup)
        _require(self.power > 0, "schedule.power", "above 0", self.power)
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
        encoder: another encoder for it, such as efficientnet-b3 or timm:resnet18; empty: its own.
        dynamic: false: regular convolutions in the decoder in place of dynamic patch-wise ones, the
            paper's ablation "w/o DPWConv".
        pretrained_encoder: start from ImageNet weights.
        encoder_weights: a file of ImageNet weights for the encoder, under the names of
            lukemelas/EfficientNet-PyTorch. Empty: those of the package registry.
        start_from: the result of another run, its last.ckpt, or a model file, to start from
            instead, with all its weights; of the same network and classes. Empty: none.
        freeze_norms: batch norms keep the statistics that the run starts with. For short runs from
            trained weights: a few images per step have statistics of their own, and it is faster.
        start_share: share of the weights of start_from in the result, 0-1: half of both keeps more
            of what the start was good at. Needs freeze_norms.
        input_size: height and width the model is made for, pixels; validation runs at it.
        seed: seed of everything random.
        precision: Lightning's name of the arithmetic; "auto": the fastest that the hardware has
            instructions for.
        devices: GPUs of each machine, or processes where there is none; 0: all GPUs, or one
            process.
        machines: machines of the run; start the same command on each, see CONTRIBUTING.md.
        output: folder of the run; its checkpoints, curves and final model lie in output/name.
    """

    name: str = "hyperseg-s-lite0-camvid"
    variant: str = "hyperseg-s-lite0"
    encoder: str = ""
    dynamic: bool = True
    pretrained_encoder: bool = True
    encoder_weights: Path = Path()
    start_from: Path = Path()
    freeze_norms: bool = False
    start_share: float = 0.0
    input_size: tuple[int, int] = (384, 512)
    seed: int = 1
    precision: Literal["auto", "bf16-mixed", "16-mixed", "32-true"] = "auto"
    devices: int = 0
    machines: int = 1
    output: Path = Path("runs")
    data: DataConfig = field(default_factory=DataConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def __post_init__(self) -> None:
        name_ok = bool(self.name) and Path(self.name).name == self.name
        _require(name_ok, "name", "a plain file name", self.name)
        _require(min(self.input_size) >= 1, "input_size", "two positive sizes", self.input_size)
        _require(self.seed >= 0, "seed", "0 or more", self.seed)
        share = self.start_share
        _require(0 <= share < 1, "start_share", "0 to below 1", share)
        _require(
            not share or self.freeze_norms,
            "start_share",
            "0 without freeze_norms=true: weights with other statistics have no mean",
            share,
        )
        _require(self.devices >= 0, "devices", "0 or more", self.devices)
        _require(self.machines >= 1, "machines", "1 or more", self.machines)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as YAML and checkpoints hold it: plain mappings, lists and scalars."""
        return typing.cast("dict[str, Any]", _plain(dataclasses.asdict(self)))


def _require(condition: bool, key: str, expected: str, value: object) -> None:
    if not condition:
        raise ConfigError(f"{key} must be {expected}, not {value}")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
