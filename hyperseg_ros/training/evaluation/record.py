"""The figures in the card of the model file that they were measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hyperseg_ros.metrics import ConfusionMatrix
from hyperseg_ros.runtime.markdown import write_card_page
from hyperseg_ros.runtime.model_file import read_card, write_card


def record(path: Path, dataset: str, matrix: ConfusionMatrix) -> None:
    """Write figures into the card of a model file, and onto the card's page beside it.

    Args:
        path: the model file.
        dataset: what they were measured on; replaces what the card says of it.
        matrix: the counts.
    """
    if not matrix.counts.any():
        raise ValueError(f"{dataset} has no labelled pixel: there are no figures to record")
    card = read_card(path)
    iou = {name: iou for name, iou in zip(card.classes.names, matrix.iou().tolist()) if iou == iou}
    card = replace(
        card,
        miou={**card.miou, dataset: matrix.miou()},
        iou={**card.iou, dataset: iou},
    )
    write_card(path, card)
    write_card_page(path, card)
