"""The figures in the card of the model file that they were measured on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hyperseg_ros.runtime.markdown import write_card_page
from hyperseg_ros.runtime.model_file import read_card, write_card
from hyperseg_ros.training.corruptions import CORRUPTIONS
from hyperseg_ros.training.evaluation.evaluate import Figures
from hyperseg_ros.training.evaluation.robustness import Robustness


def record(
    path: Path, dataset: str, figures: Figures, robustness: Robustness | None = None
) -> None:
    """Write figures into the card of a model file, and onto the card's page beside it.

    Args:
        path: the model file.
        dataset: what they were measured on; older figures for it are replaced.
        figures: of the set.
        robustness: where it was measured. The card has each corruption's mean, under a name that
            says of which severities, and the mean of all where all were measured.
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
        means = robustness.means()
        if set(robustness.miou) != set(CORRUPTIONS):
            del means["mean"]  # it would stand beside that of all
        severities = list(next(iter(robustness.miou.values())))
        older = re.compile(re.escape(dataset) + r"(, severit(y|ies) [1-5, and]+)?")
        kept = {name: by for name, by in card.robustness.items() if not older.fullmatch(name)}
        card = replace(card, robustness={**kept, f"{dataset}, {_shown(severities)}": means})
    write_card(path, card)
    write_card_page(path, card)


def _shown(severities: Sequence[int]) -> str:
    *first, last = map(str, severities)
    return f"severities {', '.join(first)} and {last}" if first else f"severity {last}"
