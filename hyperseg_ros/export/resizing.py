"""A model file made from another, for images of another size, without PyTorch or checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import onnx
from onnx import helper

from hyperseg_ros.files import writing
from hyperseg_ros.runtime.backends import installed_backends, open_backend
from hyperseg_ros.runtime.card import METADATA_KEY, ModelCard
from hyperseg_ros.runtime.graphs.resize import resized
from hyperseg_ros.runtime.model_file import fixed_batch, read_card
from hyperseg_ros.simulation import StreetCamera

_Score = TypeVar("_Score")
_AT_SIZE = re.compile(r" at \d+ x \d+$")
_FRAME = 40


def resize_model_file(model: Path, output: Path, size: tuple[int, int]) -> list[str]:
    """Write a model file that takes images of another size.

    Args:
        model: the file; it is left as it is.
        output: the new one, `.onnx`.
        size: height and width of its input, in pixels.

    Returns:
        The installed backends, all of which run it.

    Raises:
        ModelFileError: the file cannot be read or follows no contract.
        ValueError: no such size fits the network, the graph cannot be rewritten, or a backend does
            not run the result; nothing is written then.
        OSError: the new file cannot be written.
    """
    if output.resolve() == model.resolve():
        raise ValueError(f"{output} is the model itself: give the new one another name")
    card = resized_card(read_card(model), output.stem, size)
    graph = resized(onnx.load(str(model)), *size)
    properties = {entry.key: entry.value for entry in graph.metadata_props}
    helper.set_model_props(graph, {**properties, METADATA_KEY: card.to_json()})
    backends = installed_backends()

    def run(written: Path) -> None:
        read_card(written)
        batch = fixed_batch(written) or 1
        height, width = size
        image = StreetCamera(1, width, height).frame(_FRAME).image
        for name in backends:
            with closing(open_backend(name, written)) as backend:
                labels, _ = backend.infer(image[None].repeat(batch, axis=0))
            if labels.max() >= len(card.classes):
                raise ValueError(f"{name} gives labels that no class has: the file is not kept")

    with writing(output, run) as temporary:
        onnx.save(graph, str(temporary))
    return backends


def resized_card(card: ModelCard, name: str, size: tuple[int, int]) -> ModelCard:
    """The card of a model for another input size, which says at which size it was measured."""
    return replace(
        card,
        name=name,
        input_size=size,
        miou=_at_size(card.miou, card.input_size, size),
        iou=_at_size(card.iou, card.input_size, size),
        calibration=_at_size(card.calibration, card.input_size, size),
        robustness=_at_size(card.robustness, card.input_size, size),
        agreement=_at_size(card.agreement, card.input_size, size),
    )


def is_at_another_size(dataset: str) -> bool:
    """Whether the name of a data set on a card says that it was measured at another size."""
    return bool(_AT_SIZE.search(dataset))


def measured_data(dataset: str) -> str:
    """The name of a data set on a card, without the size that it was measured at."""
    return _AT_SIZE.sub("", dataset)


def _at_size(
    scores: Mapping[str, _Score], old: tuple[int, int], new: tuple[int, int]
) -> dict[str, _Score]:
    """Scores by data set, whose names say the size where it is not that of the model."""
    renamed = {}
    for dataset, score in scores.items():
        known = dataset if is_at_another_size(dataset) else f"{dataset} at {old[0]} x {old[1]}"
        renamed[known.removesuffix(f" at {new[0]} x {new[1]}")] = score
    return renamed
