"""The model card: what a model file says about itself, as JSON in its metadata."""

from __future__ import annotations

import json
import reprlib
import unicodedata
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hyperseg_ros.classes import ClassTable

METADATA_KEY = "hyperseg.card"
"""The key of the card in the ONNX `metadata_props`."""
_LONGEST_CARD, _LONGEST_TEXT, _LONGEST_NAME = 1_000_000, 20_000, 200
"""Characters."""
_LONGEST_SIDE = 16384
"""Pixels."""
_NAMES = {"name", "variant", "source_sha256", "license", "a class name", "a data set"}
"""Entries of one line."""
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of control characters, surrogates, and the like."""


@dataclass(frozen=True)
class ModelCard:
    """What a user of a model must know, and all that the runtime needs beside the graph."""

    name: str
    """Of the model; what a shipped one is called by."""
    variant: str
    """Architecture, a name of the network's zoo of variants."""
    classes: ClassTable
    input_size: tuple[int, int]
    """Height and width in pixels of the images the graph takes."""
    dataset: str
    """What it was trained on."""
    training: str
    """How it was trained, a sentence or two for people."""
    miou: dict[str, float]
    """Mean IoU, 0 to 1, by the data set and protocol it was measured on."""
    source_sha256: str
    """SHA-256 of the checkpoint that was exported, hexadecimal."""
    license: str
    """Of the weights, an SPDX identifier."""
    terms: str
    """What the training data allow the model to be used for."""
    command: str = ""
    """The command line that trained it; empty where it is not known."""
    iou: dict[str, dict[str, float]] = field(default_factory=dict)
    """IoU of each class, 0 to 1, by the same data sets; classes that do not occur are left out."""
    calibration: dict[str, float] = field(default_factory=dict)
    """Expected calibration error of the confidence, 0 to 1, by data set."""
    robustness: dict[str, dict[str, float]] = field(default_factory=dict)
    """Mean IoU under corruptions of the image, 0 to 1, by data set and corruption."""
    agreement: dict[str, float] = field(default_factory=dict)
    """Of an INT8 model: share of the labels that equal the FP32 model's, 0 to 1, by images."""

    def to_json(self) -> str:
        """The card as a JSON object, readable by `from_json`."""
        card, ground = asdict(self), self.classes.ground
        card["classes"] = [
            {"name": name, "color": list(color), **({"ground": True} if name in ground else {})}
            for name, color in zip(self.classes.names, self.classes.colors, strict=True)
        ]
        return json.dumps(card, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card; entries it does not know are ignored, so newer cards load too.

        Raises:
            ValueError: `text` is not JSON, or an entry is missing or not what it should be.
        """
        if len(text) > _LONGEST_CARD:
            raise ValueError(
                f"the model card is {len(text)} characters long, more than {_LONGEST_CARD}"
            )
        try:
            card = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the model card is not JSON: {error}") from None
        if not isinstance(card, dict):
            raise ValueError(f"the model card is a JSON {type(card).__name__}, not an object")
        # Which older cards have not.
        newer: dict[str, Any] = {"iou": {}, "calibration": {}, "robustness": {}, "agreement": {}}
        card = {"command": "", **newer, **card}
        missing = [f.name for f in fields(cls) if f.name not in card]
        if missing:
            raise ValueError(f"the model card lacks {', '.join(missing)}")
        texts = ("name", "variant", "dataset", "training", "source_sha256", "license", "terms")
        return cls(
            **{entry: _text(entry, card[entry]) for entry in (*texts, "command")},
            classes=_classes(card["classes"]),
            input_size=_input_size(card["input_size"]),
            miou=_scores("miou", card["miou"], "data sets"),
            iou={
                _text("a data set", name): _scores(f"iou of {name}", scores, "classes")
                for name, scores in _mapping("iou", card["iou"]).items()
            },
            calibration=_scores("calibration", card["calibration"], "data sets"),
            robustness={
                str(name): _scores(f"robustness on {name}", scores, "corruptions")
                for name, scores in _mapping("robustness", card["robustness"]).items()
            },
            agreement=_scores("agreement", card["agreement"], "images"),
        )


def _text(entry: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{entry} in the model card must be a string, not {reprlib.repr(value)}")
    most = _LONGEST_NAME if entry in _NAMES else _LONGEST_TEXT
    if len(value) > most:
        raise ValueError(
            f"{entry} in the model card is {len(value)} characters long, more than {most}"
        )
    allowed = "" if entry in _NAMES else "\n\t"
    for character in value:
        if unicodedata.category(character) in _UNPRINTABLE and character not in allowed:
            raise ValueError(
                f"{entry} in the model card has the character U+{ord(character):04X}, which cannot "
                "be shown"
            )
    return value


def _classes(value: Any) -> ClassTable:
    try:
        return ClassTable(
            names=tuple(_text("a class name", entry["name"]) for entry in value),
            colors=tuple(tuple(entry["color"]) for entry in value),
            ground=tuple(entry["name"] for entry in value if _flag(entry.get("ground", False))),
        )
    except (AttributeError, KeyError, TypeError):
        raise ValueError(
            "classes in the model card must be a list of "
            '{"name": "road", "color": [128, 64, 128]}, with "ground": true for surfaces to '
            "drive or walk on"
        ) from None
    except ValueError as error:
        raise ValueError(f"classes in the model card: {error}") from None


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"ground is true or false, not {reprlib.repr(value)}")
    return value


def _input_size(value: Any) -> tuple[int, int]:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(side) is int and 0 < side <= _LONGEST_SIDE for side in value)
    ):
        raise ValueError(
            f"input_size in the model card must be [height, width] in pixels, up to "
            f"{_LONGEST_SIDE}, not {reprlib.repr(value)}"
        )
    return value[0], value[1]


def _mapping(entry: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{entry} in the model card must be an object, not {reprlib.repr(value)}")
    return value


def _scores(entry: str, value: Any, keys: str) -> dict[str, float]:
    if not isinstance(value, dict) or not all(
        isinstance(score, (int, float)) and 0 <= score <= 1 for score in value.values()
    ):
        raise ValueError(
            f"{entry} in the model card must map {keys} to numbers from 0 to 1, not "
            f"{reprlib.repr(value)}"
        )
    return {_text("a data set", key): float(score) for key, score in value.items()}
