"""The model card for people: Markdown beside the model file."""

from __future__ import annotations

from hyperseg_ros.runtime.card import ModelCard


def card_as_markdown(card: ModelCard) -> str:
    """The card as a page of Markdown."""
    height, width = card.input_size
    rows = [
        ("architecture", card.variant),
        ("input", f"{height} x {width} (height x width), uint8 BGR"),
        ("trained on", card.dataset),
        ("training", card.training),
        *((f"mIoU on {dataset}", f"{100 * value:.1f} %") for dataset, value in card.miou.items()),
        ("licence of the weights", card.license),
        ("terms of the data", card.terms),
        ("SHA-256 of the checkpoint", f"`{card.source_sha256}`"),
    ]
    classes = [
        (str(index), name, "#{:02x}{:02x}{:02x}".format(*color))
        for index, (name, color) in enumerate(
            zip(card.classes.names, card.classes.colors, strict=True)
        )
    ]
    return "\n".join(
        [
            f"# {card.name}",
            "",
            *_table(("", ""), rows),
            "",
            *_table(("id", "class", "colour"), classes),
            "",
        ]
    )


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    line = "| " + " | ".join(["{}"] * len(header)) + " |"
    return [line.format(*header), line.format(*["---"] * len(header))] + [
        line.format(*row) for row in rows
    ]
