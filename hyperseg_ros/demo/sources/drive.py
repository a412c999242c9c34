"""What every source gives: a drive of frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.simulation import Intrinsics, Mount

DEFAULT_RATE = 10.0
"""Frames a second of a source that has no rate of its own."""


class SourceError(ValueError):
    """A source that cannot be opened or read; the message says what is wrong with it."""


@dataclass(frozen=True)
class Frame:
    """One image of a drive."""

    image: NDArray[np.uint8]
    """BGR, uint8 [H, W, 3]."""
    labels: NDArray[np.uint8] | None = None
    """Class ids, `UNLABELLED` where unknown, uint8 [H, W]; None without ground truth."""
    ranges: NDArray[np.float64] | None = None
    """True metres to the first thing that is not ground along `free_space.BEARINGS`, inf for
    none; None where nobody knows."""


@dataclass(frozen=True)
class Drive:
    """An opened source."""

    title: str
    """What a reader of the report sees."""
    rate: float
    """Frames a second."""
    length: int | None
    """Number of frames as far as known; None for a source without an end."""
    labelled: bool
    """Whether ground truth exists for at least some frames."""
    live: bool
    """Whether waiting for the next frame keeps the rate (a device), or the reader must."""
    intrinsics: Intrinsics | None
    """Of the camera, where they are known."""
    frames: Iterator[Frame]
    """The frames, once; raises SourceError at one that cannot be read."""
    mount: Mount | None = None
    """Where the camera is above the ground, where that and the true ranges are known."""


def read_first(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Read the first frame at once, so that what cannot be read fails when it is opened.

    Raises:
        StopIteration: there is no frame.
    """
    first = next(frames)
    return itertools.chain([first], frames)
