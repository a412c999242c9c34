"""The card of a network that is timed and was never trained."""

from __future__ import annotations

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.runtime.card import ModelCard


def untrained_card(
    name: str, classes: ClassTable, size: tuple[int, int], license: str = "Apache-2.0"
) -> ModelCard:
    """A card with nothing on it but what a model file needs.

    Args:
        name: of the model and its architecture.
        classes: that it tells apart.
        size: height and width of its input.
        license: SPDX identifier.
    """
    return ModelCard(
        name=name,
        variant=name,
        classes=classes,
        input_size=size,
        dataset="none",
        training="none",
        miou={},
        source_sha256="0" * 64,
        license=license,
        terms="made to be timed",
    )
