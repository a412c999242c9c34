"""The network that a run starts with, and where its weights come from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hyperseg_ros import network
from hyperseg_ros.classes import ClassTable
from hyperseg_ros.network.checkpoint import check_finite
from hyperseg_ros.runtime.model_file import find_model, read_card
from hyperseg_ros.training.config import ConfigError, TrainingConfig
from hyperseg_ros.training.datasets import LabelledImages
from hyperseg_ros.training.loaders import training_loader
from hyperseg_ros.training.model_weights import load_model_weights
from hyperseg_ros.training.prediction import normalize

_STATISTICS_BATCHES = 8
_PREFIX = "network."
"""Of the weights in a checkpoint of Lightning."""


class Origin(NamedTuple):
    """Where the weights of a network come from.

    Attributes:
        text: how they came about, for people.
        trained_on: names of the data sets, as on a model card; empty where none is known.
    """

    text: str
    trained_on: str = ""


def build(config: TrainingConfig, num_classes: int) -> network.HyperSeg:
    """The network that a configuration names, untrained.

    Raises:
        ConfigError: there is no such variant or encoder.
    """
    return _built(network_name(config), num_classes)


def _built(name: str, num_classes: int) -> network.HyperSeg:
    try:
        return network.build(name, num_classes=num_classes)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def network_name(config: TrainingConfig) -> str:
    """The name of the network with the changes that the configuration makes."""
    return network.compose_name(config.variant, config.encoder, config.dynamic)


def starting_network(
    config: TrainingConfig, training: Sequence[LabelledImages]
) -> tuple[network.HyperSeg, Origin]:
    """The network that the run starts with, and where its weights come from.

    Raises:
        ConfigError: what to start from is of another network or of other classes.
        CheckpointError, ModelFileError: it is neither a checkpoint nor a model file, or its
            weights are not finite.
    """
    classes = training[0].classes
    if config.start_from == Path():
        if config.freeze_norms:
            raise ConfigError("freeze_norms: untrained norms have nothing to keep; add start_from=")
        weights = config.encoder_weights if config.encoder_weights != Path() else None
        model = network.build(
            network_name(config),
            num_classes=len(classes),
            pretrained_encoder=config.pretrained_encoder,
            encoder_weights=weights,
        )
        pretrained = config.pretrained_encoder or weights
        return model, Origin("ImageNet weights" if pretrained else "random weights")
    return _continued(config, training)


def set_training_mode(model: nn.Module, freeze_norms: bool) -> None:
    """Put a network into training mode; frozen batch norms keep and use their statistics.

    Lightning keeps the mode of each module as it finds it, over validations too.
    """
    model.train()
    for module in model.modules():
        if freeze_norms and isinstance(module, nn.BatchNorm2d):
            module.eval()


def trained_network(
    key: str, path: Path, config: TrainingConfig, training: Sequence[LabelledImages], name: str = ""
) -> tuple[network.HyperSeg, Origin]:
    """The network of a checkpoint or model file, and its recipe.

    Args:
        key: of the configuration, for messages.
        path: what it names.
        config, training: the run, whose crops a model file's norms are measured on.
        name: of the network that it must be; empty: any.

    Raises:
        ConfigError: it is another network, or of other classes.
        CheckpointError, ModelFileError: it is neither a checkpoint nor a model file, or its
            weights are not finite.
    """
    is_checkpoint = path.suffix in (".pt", ".pth")
    if is_checkpoint:
        model, info = network.load_checkpoint(path)
        found = model.name
        origin = Origin(info.get("training", ""), info.get("dataset", ""))
        known = tuple(info.get("class_names", ()))
    else:
        path = find_model(path)
        card = read_card(path)
        found, known = card.variant, card.classes.names
        origin = Origin(card.training, card.dataset)
    if name and found != name:
        raise ConfigError(f"{key}: {path} is no {name}, but a {found}")
    _check_classes(key, path, known, training[0].classes)
    if not is_checkpoint:
        model = _built(found, len(known))
        crops = islice(training_loader(config, training), _STATISTICS_BATCHES)
        load_model_weights(model, path, (normalize(crop.images, model) for crop in crops))
    return model, origin


def _continued(
    config: TrainingConfig, training: Sequence[LabelledImages]
) -> tuple[network.HyperSeg, Origin]:
    """The network with the weights that `start_from` names, and where they come from."""
    key, start = "start_from", config.start_from
    if start.suffix == ".ckpt":
        model = build(config, len(training[0].classes))
        state, known, trained_on = _state_of_run(start)
        _check_classes(key, start, known, training[0].classes)
        network.load_weights(model, state)
        return model, Origin(f"the checkpoint of a run, {start.parents[1].name}", trained_on)
    model, origin = trained_network(key, start, config, training, network_name(config))
    text = f"the result of: {origin.text}" if origin.text else "a checkpoint"
    return model, origin._replace(text=text)


def _state_of_run(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...], str]:
    """The averaged weights of a run's own checkpoint, its classes, and what it is trained on."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        weights = checkpoint["state_dict"].items()
        state = {key.removeprefix(_PREFIX): value for key, value in weights}
        known = tuple(checkpoint["class_names"])
    except Exception as error:  # torch raises a different type for each way a file can be broken
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigError(f"start_from: {path} is no checkpoint of a run ({reason})") from error
    check_finite(state, path)
    return state, known, str(checkpoint.get("trained_on", ""))


def _check_classes(key: str, path: Path, known: tuple[str, ...], classes: ClassTable) -> None:
    if known != classes.names:
        raise ConfigError(
            f"{key}: {path} knows the classes {', '.join(known)}; "
            f"those of the data are {', '.join(classes.names)}"
        )
