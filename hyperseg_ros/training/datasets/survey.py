"""What a split's files hold, counted, so that a mistake shows that no single pixel does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.training.datasets.reading import RawLabels

EQUAL_CHANNELS = "equal"
"""The channels of a label file in colours that hold all that is in it: all three alike."""


@dataclass(frozen=True)
class PairFacts:
    """What an image and its labels hold.

    Attributes:
        label_path: the label file.
        size: height and width.
        pixels: pixels by class, int64 [C + 1]; the last are those without a class.
        ids: the ids in the file, before they are looked up; empty for colours.
        unknown: pixels of no class, by the value that they have in the file.
        channels: `EQUAL_CHANNELS`; "red", "green" or "blue", the only channel that is not 0; or
            "".
        lossy: the label file's kind changes pixels.
        brightest: largest value in the image, 0-255; None where it was not decoded.
        deep: the image file has 16 bits per channel.
    """

    label_path: Path
    size: tuple[int, int]
    pixels: NDArray[np.int64]
    ids: frozenset[int]
    unknown: dict[str, int]
    channels: str
    lossy: bool
    brightest: int | None
    deep: bool


def facts_of(
    label_path: Path,
    raw: RawLabels,
    labels: NDArray[np.uint8],
    unknown: dict[str, int],
    classes: int,
    image: NDArray[np.uint8] | None,
    deep: bool,
) -> PairFacts:
    """What an image, uint8 [H, W, 3] or None, and its labels, uint8 [H, W], hold."""
    counts = np.bincount(labels.ravel(), minlength=256)
    pixels = np.append(counts[:classes], counts[classes:].sum())
    ids = frozenset(np.unique(raw.pixels).tolist()) if raw.pixels.ndim == 2 else frozenset()
    channels = _channels(raw.pixels) if unknown and raw.pixels.ndim == 3 else ""
    brightest = None if image is None else int(image.max())
    size = (labels.shape[0], labels.shape[1])
    return PairFacts(label_path, size, pixels, ids, unknown, channels, raw.lossy, brightest, deep)


@dataclass
class Survey:
    """The sum of the facts of a split.

    Args:
        classes: number of classes C.

    Attributes:
        sizes: pairs by height and width.
        pixels: pixels by class, int64 [C + 1]; the last are those without a class.
        holding: images with at least one pixel of the class, int64 [C].
        ids: files of ids by the ids in them.
        unknown: pixels of no class by the value they have.
        colored: label files in colours.
        channels: label files of unknown colours by `PairFacts.channels`.
        lossy: label files whose kind changes pixels.
        brightest: largest value in an image of 8 bits, and in one of 16; None: there was none.
        deep: images of 16 bits per channel.
    """

    classes: int
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    pixels: NDArray[np.int64] = field(init=False)
    holding: NDArray[np.int64] = field(init=False)
    ids: Counter[int] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    colored: int = 0
    channels: Counter[str] = field(default_factory=Counter)
    lossy: list[Path] = field(default_factory=list)
    brightest: dict[bool, int] = field(default_factory=dict)
    deep: int = 0

    def __post_init__(self) -> None:
        self.pixels = np.zeros(self.classes + 1, np.int64)
        self.holding = np.zeros(self.classes, np.int64)

    def add(self, pair: PairFacts) -> None:
        """Count a pair."""
        self.sizes[pair.size] += 1
        self.pixels += pair.pixels
        self.holding += pair.pixels[:-1] > 0
        self.ids.update(pair.ids)
        self.unknown.update(pair.unknown)
        self.colored += not pair.ids
        if pair.channels:
            self.channels[pair.channels] += 1
        if pair.lossy:
            self.lossy.append(pair.label_path)
        self.deep += pair.deep
        if pair.brightest is not None:
            known = self.brightest.get(pair.deep, 0)
            self.brightest[pair.deep] = max(known, pair.brightest)


def _channels(pixels: NDArray[np.uint8]) -> str:
    red, green, blue = (pixels[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return EQUAL_CHANNELS
    used = [name for name, one in zip(("red", "green", "blue"), (red, green, blue)) if one.any()]
    return used[0] if len(used) == 1 else ""
