"""From the pixels of a label file, ids or colours, to class ids. Labels are never interpolated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED, ClassTable

Color = tuple[int, int, int]
_UNKNOWN = -1


class LabelDecoder(Protocol):
    """Turns the pixels of a label file into class ids.

    Attributes:
        expected: what the pixels may hold, for people.
        ids: the class, or `UNLABELLED`, of each valid id; empty where there are colours only.
    """

    expected: str
    ids: Mapping[int, int]

    def __call__(
        self, raw: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, int]]:
        """Decode an image of labels.

        Args:
            raw: uint8 [H, W] ids, or uint8 [H, W, 3] RGB.
            palette: the RGB colour that the file shows each id in, uint8 [N, 3]; None: none.

        Returns:
            Class ids, uint8 [H, W], `UNLABELLED` where there is no class; and each value that is
            none, with the number of its pixels.
        """
        ...


class IndexDecoder:
    """Labels written as ids.

    Args:
        ids: the class, or `UNLABELLED`, that each valid id stands for.
    """

    def __init__(self, ids: Mapping[int, int]) -> None:
        self.ids = ids
        self._table = np.full(256, _UNKNOWN, np.int16)
        for value, label in ids.items():
            self._table[value] = label
        void = [str(value) for value, label in sorted(ids.items()) if label == UNLABELLED]
        known = [value for value, label in ids.items() if label != UNLABELLED]
        self.expected = f"{_ranges(known)}" + (
            f", {_ranges(map(int, void))} for void" if void else ""
        )

    def __call__(
        self, raw: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, int]]:
        if raw.ndim != 2:
            return _all_unknown(raw, "colours where ids are expected")
        labels = self._table[raw]
        unknown = np.bincount(raw[labels == _UNKNOWN], minlength=256)
        labels[labels == _UNKNOWN] = UNLABELLED
        found = {str(value): int(unknown[value]) for value in np.flatnonzero(unknown)}
        return labels.astype(np.uint8), found


class ColorDecoder:
    """Labels written as colours, exactly.

    Args:
        colors: the class, or `UNLABELLED`, that each RGB colour stands for.
        others_are_void: leave pixels of any other colour unlabelled.
    """

    def __init__(self, colors: Mapping[Color, int], others_are_void: bool = False) -> None:
        codes = np.array([_code(np.array(color)) for color in colors], np.int64)
        order = np.argsort(codes)
        self._codes = codes[order]
        self._labels = np.array(list(colors.values()), np.int64)[order]
        self._others_are_void = others_are_void
        self.ids: Mapping[int, int] = {}
        self.expected = f"the {len(codes)} colours of the class table"

    def __call__(
        self, raw: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, int]]:
        if raw.ndim != 3:
            return _all_unknown(raw, "ids where colours are expected")
        codes = _code(raw.astype(np.int64))
        position = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        known = self._codes[position] == codes
        labels = np.where(known, self._labels[position], UNLABELLED).astype(np.uint8)
        if self._others_are_void or known.all():
            return labels, {}
        values, counts = np.unique(codes[~known], return_counts=True)
        most = np.argsort(-counts)
        return labels, {_color(values[index]): int(counts[index]) for index in most}


class EitherDecoder:
    """Labels written as ids or as colours; each file says which by its channels and its palette.

    Where a palette has exact colours of the table, but for other ids than the table's, a program
    numbered the colours as they came: they are the labels.
    """

    def __init__(self, index: IndexDecoder, color: ColorDecoder) -> None:
        self._index, self._color = index, color
        self.ids = index.ids
        self.expected = f"ids {index.expected}; or {color.expected}"

    def __call__(
        self, raw: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, int]]:
        if raw.ndim == 3:
            return self._color(raw)
        if palette is not None and self._shows_other_classes(np.unique(raw), palette):
            return self._color(palette[raw])
        return self._index(raw)

    def _shows_other_classes(self, used: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bool:
        if used[-1] >= len(palette):
            return False
        by_color, strangers = self._color(palette[used][None])
        by_id, unknown = self._index(used[None])
        return not strangers and (bool(unknown) or not np.array_equal(by_color, by_id))


def class_ids(classes: ClassTable, void: Sequence[int] = (UNLABELLED,)) -> dict[int, int]:
    """The ids of a table for an `IndexDecoder`: each its own, and those of void."""
    return {**dict.fromkeys(void, UNLABELLED), **{n: n for n in range(len(classes))}}


def _all_unknown(raw: NDArray[np.uint8], reason: str) -> tuple[NDArray[np.uint8], dict[str, int]]:
    height, width = raw.shape[:2]
    return np.full((height, width), UNLABELLED, np.uint8), {reason: height * width}


def _code(rgb: NDArray[np.int64]) -> NDArray[np.int64]:
    return rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]


def _color(code: int) -> str:
    return f"({code >> 16}, {code >> 8 & 255}, {code & 255})"


def _ranges(values: Iterable[int]) -> str:
    """Integers as in "0 to 10, 255"."""
    runs: list[list[int]] = []
    for number in sorted(values):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs)
