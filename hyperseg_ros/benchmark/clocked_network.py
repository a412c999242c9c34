"""A network that is a clock: it takes a given time and no processor."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime import Segmenter, find_model, read_card


class ClockedNetwork:
    """A backend that takes a certain time, and no processor, and gives smooth blobs as labels.

    Their outlines are about as long as those of a street's classes.

    Args:
        size: height and width of its images, pixels.
        classes: how many the labels have.
        seconds: that a batch takes.
    """

    name = "clock"
    device = "a clock"
    precision = "none"
    batch_size = 1
    reason = "the benchmark is of the node"

    def __init__(self, size: tuple[int, int], classes: int, seconds: float) -> None:
        self.details: dict[str, str] = {}
        fields = np.random.default_rng(0).normal(size=(5, 6, classes)).astype(np.float32)
        scores = cv2.resize(fields, size[::-1], interpolation=cv2.INTER_CUBIC)
        self._labels = scores.argmax(axis=-1).astype(np.uint8)
        self._confidence = np.clip(scores.max(axis=-1) * 120, 0, 255).astype(np.uint8)
        self._seconds = seconds

    def infer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The same output for every image."""
        end = time.perf_counter() + self._seconds
        labels, confidence = self._labels[None].copy(), self._confidence[None].copy()
        time.sleep(max(0.0, end - time.perf_counter()))
        return labels, confidence

    def close(self) -> None:
        """There is nothing to free."""


def open_clocked(model: str, *_: Any, inference_ms: float, **__: Any) -> Segmenter:
    """A segmenter of a clocked network; takes the arguments of `Segmenter.open` too.

    Args:
        model: whose classes and input size the network has.
        inference_ms: that the network takes for a frame.
    """
    card = read_card(find_model(model))
    network = ClockedNetwork(card.input_size, len(card.classes), inference_ms / 1e3)
    return Segmenter(card, network)
