"""An image in, labels and confidence at the image's own size out."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends import (
    DEFAULT_ENGINES,
    BackendLostError,
    EngineOptions,
    open_backend,
)
from hyperseg_ros.runtime.model_file import find_model, read_card
from hyperseg_ros.runtime.resizing import fit_image, fit_labels


@dataclass(frozen=True)
class Segmentation:
    """The result for one image."""

    labels: NDArray[np.uint8]
    """Class ids of the model card's table, uint8 [H, W]."""
    confidence: NDArray[np.uint8]
    """Softmax probability of the label x 255, uint8 [H, W]."""
    preprocess_ms: float
    """Bringing the image to the model's size."""
    inference_ms: float
    """The network, uint8 image to uint8 labels."""
    postprocess_ms: float
    """Bringing labels and confidence to the image's size."""


class Segmenter:
    """A model file, ready to segment images.

    The same image gives the same bytes every time on the same machine. Calls from several threads
    are served one after the other. Results are the caller's: later calls leave them alone.

    Args:
        model_file: the path of a model file, or the name of a shipped model.
        backend: one of `BACKENDS`; `auto` is the fastest installed.
        threads: CPU threads, 0 for the backend's own choice.
        precision: one of `PRECISIONS`; `auto` runs FP16 on a GPU, and bfloat16 where the CPU has
            instructions for it, which gives another label than fp32 to a few pixels in a thousand.
        engines: how TensorRT's engines are built and kept, and who is told.

    Attributes:
        card: the model's card.
        backend_name: the backend in use, `auto` resolved.
        device: the hardware in use, as its maker calls it.
        precision: the arithmetic in use, `auto` resolved.
        reason: why this backend, a sentence.
        details: what else the backend says of itself, for people.
        lost: why the backend cannot go on, a sentence; empty as long as it can.

    Raises:
        ModelFileError: the model is not there, or is not one.
        BackendError: the backend is not known, not installed, or cannot run as asked.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        backend: str = "auto",
        threads: int = 0,
        precision: str = "auto",
        engines: EngineOptions = DEFAULT_ENGINES,
    ) -> None:
        path = find_model(model_file)
        self.card = read_card(path)
        self._backend, self.reason = open_backend(
            backend, path, threads=threads, precision=precision, engines=engines
        )
        self.backend_name = self._backend.name
        self.device = self._backend.device
        self.precision = self._backend.precision
        self.details = self._backend.details
        self.lost = ""
        self._lock = threading.Lock()
        self._closed = False
        # The first inference pays for allocations; no camera frame should.
        height, width = self.card.input_size
        self._input = np.zeros((height, width, 3), np.uint8)
        try:
            self._backend.infer(self._input[None])
        except BaseException:
            self._backend.close()
            raise

    def __call__(self, image: NDArray[np.uint8]) -> Segmentation:
        """Segment one image.

        Args:
            image: BGR, uint8 [H, W, 3], of any size and memory layout.

        Raises:
            ValueError: the image is of another type or shape, or has no pixels.
            RuntimeError: the segmenter is closed.
            InferenceError: the device failed on this image; the next may be good.
            BackendLostError: the device failed for good; the segmenter must be made anew.
        """
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
            raise ValueError(f"an image must be a uint8 array, not {kind}")
        if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(
                f"an image must be of shape [H, W, 3] and not empty, not {image.shape}"
            )
        with self._lock:
            if self._closed:
                raise RuntimeError("the segmenter is closed")
            begin = time.perf_counter()
            batch = fit_image(image, self.card.input_size, out=self._input)[None]
            fitted = time.perf_counter()
            try:
                labels, confidence = self._backend.infer(batch)
            except BackendLostError as error:
                self.lost = self.lost or str(error)
                raise
            inferred = time.perf_counter()
            size = image.shape[:2]
            labels, confidence = fit_labels(labels[0], size), fit_labels(confidence[0], size)
            end = time.perf_counter()
        return Segmentation(
            labels=labels,
            confidence=confidence,
            preprocess_ms=(fitted - begin) * 1e3,
            inference_ms=(inferred - fitted) * 1e3,
            postprocess_ms=(end - inferred) * 1e3,
        )

    def close(self) -> None:
        """Free the model. Closing twice is fine."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._backend.close()

    def __enter__(self) -> Segmenter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
