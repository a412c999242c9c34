"""The figures in the card of the model file that they were measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hyperseg_ros.runtime.markdown import write_card_page
from hyperseg_ros.runtime.model_file import read_card, write_card
from hyperseg_ros.training.evaluation.evaluate import Figures


def record(
    path: Path, dataset: str, figures: Figures, robustness: Mapping[str, float] | None = None
) -> None:
    """Write figures into the card of a model file, and onto the card's page beside it.

    Args:
        path: the model file.
        dataset: what they were measured on; older figures for it are replaced.
        figures: of the set.
        robustness: mIoU by corruption, 0-1, where it was measured.
    """
    matrix = figures.matrix
    if not matrix.counts.any():
        raise ValueError(f"{dataset} has no labelled pixel: there are no figures to record")
    card = read_card(path)
    iou = {name: iou for name, iou in zip(card.classes.names, matrix.iou().tolist()) if iou == iou}
    card = replace(
        card,
        miou={**card.miou, dataset: matrix.miou()},
        iou={**card.iou, dataset: iou},
        calibration={**card.calibration, dataset: figures.calibration.error()},
    )
    if robustness:
        card = replace(card, robustness={**card.robustness, dataset: dict(robustness)})
    write_card(path, card)
    write_card_page(path, card)
