"""What every backend offers, and what it may refuse."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class BackendError(ValueError):
    """A backend that is not known, not installed, or cannot run as asked; says what to do."""


class Backend(Protocol):
    """A model loaded on a device, for one batch size.

    Calls are not thread-safe: the owner of a backend serialises them.
    """

    name: str
    """The name it is chosen by, such as `openvino`."""
    device: str
    """The hardware it runs on, as its maker calls it."""
    precision: str
    """The arithmetic it runs in, such as `fp32`."""

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Labels and confidence of a batch.

        Args:
            images: BGR at the model's input size, uint8 [N, H, W, 3], C-contiguous.

        Returns:
            labels: class ids, uint8 [N, H, W].
            confidence: probability of the label x 255, uint8 [N, H, W].
            Both belong to the caller; a later call leaves them alone.
        """
        ...

    def close(self) -> None:
        """Free the model; the backend cannot be used afterwards."""
        ...
