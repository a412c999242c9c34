"""COCO's compressed run-length encoding of masks, as pycocotools writes and reads it.

A mask is read column by column. The lengths of its alternating runs of 0 and 1, starting with 0,
are coded as differences to the length two runs before, each as 5-bit groups with a continuation
bit, each group as an ASCII character from `0` on (COCO API, `maskApi.c`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

# A length below 2^31 needs at most seven signed 5-bit groups.
_GROUPS = 7
_CONTINUES = 0x20
_ZERO = 48


@dataclass(frozen=True)
class EncodedMask:
    """One class's mask in a label image, and what a planner asks about it first."""

    class_id: int
    pixel_count: int
    mean_confidence: float
    """Mean of the confidence over the mask, 0 to 1."""
    x: int
    y: int
    width: int
    height: int
    """The bounding box, in pixels."""
    counts: str
    """COCO compressed run lengths."""


def encode(mask: NDArray[np.bool_]) -> str:
    """Compressed run lengths of a mask.

    Args:
        mask: bool (or 0 and 1) [H, W], not empty.

    Raises:
        ValueError: the mask is of another shape.
    """
    _check_shape("a mask", mask)
    flat = mask.astype(bool).ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(edges, prepend=0, append=flat.size)
    if flat[0]:
        lengths = np.concatenate(([0], lengths))
    return _compress(lengths, np.zeros(1, np.int64))[0]


def decode(counts: str, height: int, width: int) -> NDArray[np.bool_]:
    """The mask of compressed run lengths, bool [H, W].

    Raises:
        ValueError: `counts` is malformed, or not of a mask of this size.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a mask has at least one pixel, not {height} x {width}")
    if not counts.isascii():
        raise ValueError("run lengths hold a character that is not ASCII")
    groups = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - _ZERO
    if groups.size == 0 or groups.min() < 0 or groups.max() >= 2 * _CONTINUES:
        raise ValueError("run lengths hold a character outside '0' to 'o', or none at all")
    last = groups < _CONTINUES
    if not last[-1]:
        raise ValueError("run lengths end in the middle of a number")
    starts = np.concatenate(([0], np.flatnonzero(last)[:-1] + 1))
    sizes = np.flatnonzero(last) + 1 - starts
    if sizes.max() > _GROUPS:
        raise ValueError(f"run lengths hold a number of more than {_GROUPS} groups")
    position = np.arange(groups.size) - np.repeat(starts, sizes)
    differences = np.add.reduceat((groups & 0x1F) << (5 * position), starts)
    negative = (groups[last] & 0x10) != 0
    differences -= np.where(negative, 1 << (5 * sizes), 0)
    # Undo the differences: even and odd runs each add up, the first odd one aside.
    lengths = differences
    lengths[2::2] = np.cumsum(lengths[2::2])
    lengths[1::2] = np.cumsum(lengths[1::2])
    if lengths.min() < 0 or lengths.sum() != height * width:
        raise ValueError(f"run lengths are not of a mask of {height} x {width} pixels")
    values = np.arange(lengths.size) % 2 == 1
    mask: NDArray[np.bool_] = np.repeat(values, lengths).reshape(width, height).T
    return mask


def encode_classes(
    labels: NDArray[np.uint8], confidence: NDArray[np.uint8], num_classes: int
) -> list[EncodedMask]:
    """Encode the masks of all classes of a label image in one pass over its runs.

    Args:
        labels: class ids, uint8 [H, W], not empty; ids from `num_classes` on are left out.
        confidence: 0-255, uint8 [H, W].
        num_classes: classes in the table.

    Returns:
        The classes that occur, by ascending id.

    Raises:
        ValueError: the arrays have other shapes.
    """
    _check_shape("a label image", labels)
    if confidence.shape != labels.shape:
        raise ValueError(f"labels are {labels.shape} but confidence is {confidence.shape}")
    height = labels.shape[0]
    flat = cv2.transpose(labels).ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    ends = np.append(starts[1:], flat.size)
    sums = np.diff(_sums_before(np.append(starts, flat.size), confidence))

    # All runs of a class side by side, each class's in image order.
    order = np.argsort(flat[starts], kind="stable")
    ids = flat[starts][order]
    order = order[: np.searchsorted(ids, num_classes)]
    ids = ids[: order.size]
    if not order.size:
        return []
    starts, ends, sums = starts[order], ends[order], sums[order]
    first = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1))
    last = np.append(first[1:], ids.size) - 1

    gaps = starts.copy()
    gaps[1:] -= ends[:-1]
    gaps[first] = starts[first]
    runs = np.stack([gaps, ends - starts], axis=1).ravel()
    # What follows a class's last run is a run of zeros, unless the image ends there.
    rest = flat.size - ends[last]
    follows = rest > 0
    lengths = np.insert(runs, 2 * (last[follows] + 1), rest[follows])
    begins = 2 * first + np.concatenate(([0], np.cumsum(follows)[:-1]))
    counts = _compress(lengths, begins)

    x, y, box_width, box_height = _boxes(starts, ends, first, last, height)
    pixels = np.add.reduceat(ends - starts, first)
    means = np.add.reduceat(sums, first) / (255.0 * pixels)
    columns = (ids[first], pixels, means, x, y, box_width, box_height)
    return [
        EncodedMask(*row)
        for row in zip(*(column.tolist() for column in columns), counts, strict=True)
    ]


def _boxes(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    height: int,
) -> tuple[NDArray[np.int64], ...]:
    """x, y, width and height of the box around each class's runs.

    Args:
        starts, ends: of the runs, counted column by column, each class's in image order.
        first, last: each class's first and last run.
        height: of the image.
    """
    # A run over a column's end touches both the top and the bottom of the image.
    top, bottom = starts % height, (ends - 1) % height
    left, right = starts // height, (ends - 1) // height
    wraps = left != right
    top[wraps], bottom[wraps] = 0, height - 1
    y, x = np.minimum.reduceat(top, first), left[first]
    box_height = np.maximum.reduceat(bottom, first) + 1 - y
    box_width = right[last] + 1 - x
    return x, y, box_width, box_height


def _sums_before(
    positions: NDArray[np.int64], values: NDArray[np.uint8]
) -> NDArray[np.int32] | NDArray[np.float64]:
    """What `values`, uint8 [H, W], add up to before each position, counted column by column."""
    height, width = values.shape
    fits = 255 * values.size < 2**31
    integral = cv2.integral(values, sdepth=cv2.CV_32S if fits else cv2.CV_64F)
    columns, rows = np.divmod(positions, height)
    whole = integral[-1, columns]
    # The last position is behind the last column, where there is none to begin.
    begun = integral[rows, np.minimum(columns + 1, width)] - integral[rows, columns]
    sums: NDArray[np.int32] | NDArray[np.float64] = whole + begun
    return sums


def _check_shape(what: str, array: NDArray[np.generic]) -> None:
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{what} must be of shape [H, W] and not empty, not {array.shape}")


def _compress(lengths: NDArray[np.int64], begins: NDArray[np.int64]) -> list[str]:
    """Code the run lengths of several masks, each beginning where `begins` says, ascending."""
    differences = lengths.copy()
    differences[2:] -= lengths[:-2]
    for offset in range(3):  # a mask's first three lengths stand as they are
        head = begins + offset
        head = head[head < np.append(begins[1:], lengths.size)]
        differences[head] = lengths[head]
    # Group by group, the lowest first; each round keeps the numbers that have more to come.
    sizes = np.zeros(lengths.size, np.int64)
    rounds = []
    index, pending = np.arange(lengths.size), differences
    while index.size:
        sizes[index] += 1
        rest = pending >> 5
        more = rest != np.where(pending & 0x10, -1, 0)
        rounds.append((index, (pending & 0x1F) + _CONTINUES * more + _ZERO))
        index, pending = index[more], rest[more]
    ends = np.cumsum(sizes)
    offsets = ends - sizes
    characters = np.empty(ends[-1], np.uint8)
    for position, (index, codes) in enumerate(rounds):
        characters[offsets[index] + position] = codes
    text = characters.tobytes().decode("ascii")
    bounds = [*offsets[begins].tolist(), len(text)]
    return [text[a:b] for a, b in pairwise(bounds)]
