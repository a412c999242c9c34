"""An image in, labels and confidence at the image's own size out."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends import (
    DEFAULT_ENGINES,
    Backend,
    BackendLostError,
    DeviceLostError,
    EngineOptions,
    open_backend,
)
from hyperseg_ros.runtime.card import ModelCard
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
    """The network, uint8 image to uint8 labels; for an image in a batch, the whole batch."""
    postprocess_ms: float
    """Bringing labels and confidence to the image's size."""


class Segmenter:
    """Segments images with a model that is loaded on a backend.

    The same image gives the same bytes every time on the same machine. Calls from several threads
    are served one after the other. Results are the caller's: later calls leave them alone.

    Args:
        card: of the model.
        backend: the model, loaded; closed with the segmenter.

    Attributes:
        card: the model's card.
        backend_name: the backend in use, `auto` resolved.
        device: the hardware in use, as its maker calls it.
        precision: the arithmetic in use, `auto` resolved.
        batch_size: images that the network takes in one call, as the model file was exported.
        reason: why this backend and precision, a sentence.
        details: what else the backend says of itself, for people.
        lost: why the backend cannot go on, a sentence; empty as long as it can.
        device_lost: whether only another process can use the device again.
    """

    def __init__(self, card: ModelCard, backend: Backend) -> None:
        self.card = card
        self.backend_name, self.device = backend.name, backend.device
        self.precision, self.batch_size = backend.precision, backend.batch_size
        self.reason, self.details = backend.reason, backend.details
        self.lost, self.device_lost = "", False
        self._backend = backend
        self._lock = threading.Lock()
        self._closed = False
        self._input = np.zeros((backend.batch_size, *card.input_size, 3), np.uint8)

    @classmethod
    def open(
        cls,
        model_file: str | os.PathLike[str],
        backend: str = "auto",
        threads: int = 0,
        precision: str = "auto",
        engines: EngineOptions = DEFAULT_ENGINES,
    ) -> Segmenter:
        """Find a model file, read its card and load it on a backend.

        Args:
            model_file: the path of a model file, or the name of a shipped model.
            backend: one of `BACKENDS`; `auto` is the fastest installed.
            threads: CPU threads, 0 for the backend's own choice.
            precision: one of `PRECISIONS`; `auto` runs FP16 on a GPU, and bfloat16 on a CPU where
                that is faster, which gives another label than FP32 to a few pixels in a thousand.
            engines: how TensorRT's engines are built and kept, and who is told.

        Raises:
            ModelFileError: the model is not there, or is not one.
            BackendError: the backend is not known, not installed, or cannot run as asked.
        """
        path = find_model(model_file)
        card = read_card(path)
        loaded = open_backend(backend, path, threads=threads, precision=precision, engines=engines)
        try:
            # The first inference pays for allocations; no camera frame should.
            loaded.infer(np.zeros((loaded.batch_size, *card.input_size, 3), np.uint8))
            return cls(card, loaded)
        except BaseException:
            loaded.close()
            raise

    def __call__(self, image: NDArray[np.uint8]) -> Segmentation:
        """Segment one image.

        Args:
            image: BGR, uint8 [H, W, 3], of any size and memory layout.

        Raises:
            ValueError: the image is of another type or shape, or has no pixels.
            RuntimeError: the segmenter is closed, or the network's output is invalid.
            InferenceError: the device failed on this image; the next may be good.
            BackendLostError: the device failed for good; open a new segmenter.
        """
        return self.segment([image])[0]

    def segment(
        self, images: Sequence[NDArray[np.uint8]], at_input_size: bool = False
    ) -> list[Segmentation]:
        """Segment several images, as many in one call of the network as its batch has.

        A batch that is not full costs what a full one does.

        Args:
            images: BGR, uint8 [H, W, 3], each of any size and memory layout.
            at_input_size: whether to leave labels and confidence at the size of the model's
                input instead of bringing them to the image's.

        Raises:
            ValueError: an image is of another type or shape, or has no pixels.
            RuntimeError: the segmenter is closed, or the network's output is invalid.
            InferenceError: the device failed on these images; the next may be good.
            BackendLostError: the device failed for good; open a new segmenter.
        """
        for image in images:
            _check_image(image)
        size = self.batch_size
        batches = [images[begin : begin + size] for begin in range(0, len(images), size)]
        with self._lock:
            if self._closed:
                raise RuntimeError("the segmenter is closed")
            return [result for batch in batches for result in self._run(batch, at_input_size)]

    def _run(self, images: Sequence[NDArray[np.uint8]], at_input_size: bool) -> list[Segmentation]:
        begin = time.perf_counter()
        batch = self._fit(images)
        fitted = time.perf_counter()
        try:
            labels, confidence = self._backend.infer(batch)
        except BackendLostError as error:
            self.lost = self.lost or str(error)
            self.device_lost = self.device_lost or isinstance(error, DeviceLostError)
            raise
        inferred = time.perf_counter()
        self._check_output(len(batch), labels=labels, confidence=confidence)
        sizes = [self.card.input_size if at_input_size else image.shape[:2] for image in images]
        results = [
            (fit_labels(labels[i], size), fit_labels(confidence[i], size))
            for i, size in enumerate(sizes)
        ]
        end = time.perf_counter()
        return [
            Segmentation(
                labels=labels_,
                confidence=confidence_,
                preprocess_ms=(fitted - begin) * 1e3,
                inference_ms=(inferred - fitted) * 1e3,
                postprocess_ms=(end - inferred) * 1e3,
            )
            for labels_, confidence_ in results
        ]

    def _fit(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The images as one batch, uint8 [batch_size, *input_size, 3], without a copy if possible.

        What they do not fill is left as it was.
        """
        size = self.card.input_size
        if self.batch_size == 1:
            return fit_image(images[0], size, out=self._input[0])[None]
        for slot, image in zip(self._input, images, strict=False):
            fitted = fit_image(image, size, out=slot)
            if not np.may_share_memory(fitted, slot):
                np.copyto(slot, fitted)
        return self._input

    def _check_output(self, count: int, **output: NDArray[np.uint8]) -> None:
        """What a broken engine, or a model not of its card, gives must not reach a planner."""
        shape = (count, *self.card.input_size)
        for name, values in output.items():
            if values.dtype != np.uint8 or values.shape != shape:
                raise RuntimeError(
                    f"the network gave {name} of {values.dtype} {values.shape}, not uint8 {shape}"
                )
        highest = output["labels"].max()
        if highest >= len(self.card.classes):
            raise RuntimeError(
                f"the network gave the class id {highest}, but its model card has only "
                f"{len(self.card.classes)} classes"
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


def _check_image(image: NDArray[np.uint8]) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"an image must be a uint8 array, not {kind}")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"an image must be of shape [H, W, 3] and not empty, not {image.shape}")
