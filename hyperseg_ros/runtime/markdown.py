"""The model card for people: Markdown beside the model file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hyperseg_ros.files import write_text
from hyperseg_ros.runtime.card import ModelCard


def write_card_page(model_file: str | os.PathLike[str], card: ModelCard) -> None:
    """Write a model's card beside its file, with the picture of that name if there is one.

    Args:
        model_file: the `.onnx` file; the page has its name, with `.md`.
        card: of the model.
    """
    path = Path(model_file)
    picture = path.with_suffix(".jpg")
    page = card_as_markdown(card, picture.name if picture.exists() else "")
    write_text(path.with_suffix(".md"), page)


def card_as_markdown(card: ModelCard, picture: str = "") -> str:
    """The card as a page of Markdown.

    Args:
        card: the card.
        picture: file name of a picture beside the page; empty for none.
    """
    return "\n".join(
        [
            f"# {card.name}",
            "",
            *([f"![An image and its labels]({picture})", ""] if picture else []),
            *_table(("", ""), _facts(card)),
            "",
            *_classes(card),
            "",
            *_robustness(card),
        ]
    )


def _facts(card: ModelCard) -> list[tuple[str, str]]:
    height, width = card.input_size
    return [
        ("architecture", card.variant),
        ("input", f"{height} x {width} (height x width), uint8 BGR"),
        ("trained on", card.dataset),
        ("training", card.training),
        *([("command", f"`{card.command}`")] if card.command else []),
        *((f"mIoU on {dataset}", f"{100 * value:.1f} %") for dataset, value in card.miou.items()),
        *(
            (f"calibration error on {dataset}", f"{100 * value:.1f} %")
            for dataset, value in card.calibration.items()
        ),
        *(
            (f"labels equal to the FP32 model's on {images}", f"{100 * value:.1f} %")
            for images, value in card.agreement.items()
        ),
        ("licence of the weights", card.license),
        ("terms of the data", card.terms),
        ("SHA-256 of the checkpoint", f"`{card.source_sha256}`"),
    ]


def _classes(card: ModelCard) -> list[str]:
    rows = [
        (
            str(index),
            name,
            "#{:02x}{:02x}{:02x}".format(*color),
            "yes" if name in card.classes.ground else "",
            *(f"{100 * iou[name]:.1f}" if name in iou else "" for iou in card.iou.values()),
        )
        for index, (name, color) in enumerate(
            zip(card.classes.names, card.classes.colors, strict=True)
        )
    ]
    header = ("id", "class", "colour", "ground", *(f"IoU % on {name}" for name in card.iou))
    return _table(header, rows)


def _robustness(card: ModelCard) -> list[str]:
    names = list(dict.fromkeys(name for by in card.robustness.values() for name in by))
    if not names:
        return []
    rows = [
        (
            name.replace("_", " "),
            *(f"{100 * by[name]:.1f}" if name in by else "" for by in card.robustness.values()),
        )
        for name in names
    ]
    header = ("corruption", *(f"mIoU % on {dataset}" for dataset in card.robustness))
    return [*_table(header, rows), ""]


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    line = "| " + " | ".join(["{}"] * len(header)) + " |"
    return [line.format(*header), line.format(*["---"] * len(header))] + [
        line.format(*row) for row in rows
    ]
