"""From a trained network to a model file that is kept only if it computes the same."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.export.verification import Agreement, verify
from hyperseg_ros.files import writing
from hyperseg_ros.network import HyperSeg, find_variant
from hyperseg_ros.runtime.card import ModelCard

LICENSE = "Apache-2.0"
"""Of weights whose licence nobody says."""
_PUBLISHED = "as published by the authors of HyperSeg"
_TERMS_UNKNOWN = "ask whoever trained the model which data it was trained on, and under which terms"


def export_network(
    path: Path,
    network: HyperSeg,
    card: ModelCard,
    batch: int = 1,
    half_weights: bool = True,
    operators: str = "convolution",
) -> list[Agreement]:
    """Write a network as a model file, and compare every installed backend on it with PyTorch.

    Args:
        path, network, card, batch, half_weights, operators: as `write_model_file` takes them.

    Returns:
        How far each backend agrees with the network.

    Raises:
        ValueError: the input size does not fit the network, or the file failed verification; it
            is not kept, and an old file is as it was.
        OSError: the file cannot be written.
    """
    # The exporter warns of operators of packages that are not installed, which nothing here uses.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    agreements: list[Agreement] = []

    def check(written: Path) -> None:
        for agreement in verify(written, network, card.input_size, batch):
            agreement.check()
            agreements.append(agreement)

    with writing(path, check) as temporary:
        write_model_file(temporary, network, card, batch, half_weights, operators)
    return agreements


def card_of(
    network: HyperSeg,
    info: dict[str, Any],
    name: str,
    input_size: tuple[int, int] | None = None,
    license: str = LICENSE,
    terms: str | None = None,
) -> ModelCard:
    """The model card of a checkpoint.

    Args:
        network, info: as `network.load_checkpoint` gives them.
        name: of the model.
        input_size: height and width in pixels; None for those it was trained for.
        license: of the weights, an SPDX identifier.
        terms: what the training data allow; None for what the checkpoint says.
    """
    variant = find_variant(network.name)
    classes = ClassTable.from_info(info) if "class_names" in info else variant.classes
    height, width = input_size or info.get("input_size", variant.size)
    return ModelCard(
        name=name,
        variant=variant.name,
        classes=classes,
        input_size=(height, width),
        dataset=info.get("dataset", _PUBLISHED),
        training=info.get("training", _PUBLISHED),
        miou=info.get("miou", {}),
        command=info.get("command", ""),
        iou={
            dataset: {name: iou for name, iou in scores.items() if not math.isnan(iou)}
            for dataset, scores in info.get("iou", {}).items()
        },
        source_sha256=info["sha256"],
        license=license,
        terms=terms or info.get("terms", _TERMS_UNKNOWN),
    )
