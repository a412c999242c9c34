"""Whether an image shows class ids or a mask in place of a picture."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

_MOST_VALUES = 64
"""A picture has more."""
_LEAST_FLAT = 0.9
"""Share of the pixels that are as their neighbour to the left is; in a picture noise makes it
less."""
_NAME = re.compile(
    r"(?<![a-z0-9])(annotations?|ground_?truth|gt|instances?|labels?|masks?|segmentation|semantics?)"
    r"(?![a-z0-9])"
)


def is_named_as_labels(topic: str) -> bool:
    """Whether a topic's name says labels, as /front/ground_truth and /semantic_front/image do."""
    return _NAME.search(topic.lower()) is not None


def shows_labels(image: NDArray[np.uint8], named_as_labels: bool) -> bool:
    """Whether an image has few values in areas that are flat.

    For a colour image, or one with a single value, such as a covered lens gives, that is not
    enough: its topic must also be named as labels are.

    Args:
        image: BGR, uint8 [H, W, 3].
        named_as_labels: see `is_named_as_labels`.
    """
    values = image.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)
    if (values[:, 1:] == values[:, :-1]).mean() < _LEAST_FLAT:
        return False
    count = len(np.unique(values))
    grey = bool((image[..., :1] == image[..., 1:]).all())
    return count <= _MOST_VALUES and (named_as_labels or (grey and count > 1))
