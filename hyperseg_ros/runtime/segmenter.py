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
from hyperseg_ros.runtime.model_file import find_model, fixed_batch, read_card
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
    """A model file, ready to segment images.

    The same image gives the same bytes every time on the same machine. Calls from several threads
    are served one after the other. Results are the caller's: later calls leave them alone.

    Args:
        model_file: the path of a model file, or the name of a shipped model.
        backend: one of `BACKENDS`; `auto` is the fastest installed.
        threads: CPU threads, 0 for the backend's own choice.
        precision: one of `PRECISIONS`; `auto` runs FP16 on a GPU, and bfloat16 where the CPU has
            instructions for it, which gives another label than fp32 to a few pixels in a thousand.
        batch_size: images that the network may take in one call.
        engines: how TensorRT's engines are built and kept, and who is told.

    Attributes:
        card: the model's card.
        backend_name: the backend in use, `auto` resolved.
        device: the hardware in use, as its maker calls it.
        precision: the arithmetic in use, `auto` resolved.
        batch_size: images a call; the model's own number where that is fixed.
        reason: why this backend, a sentence.
        details: what else the backend says of itself, for people.
        lost: why the backend cannot go on, a sentence; empty as long as it can.
        device_lost: whether only another process can use the device again.

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
        batch_size: int = 1,
        engines: EngineOptions = DEFAULT_ENGINES,
    ) -> None:
        path = find_model(model_file)
        self.card = read_card(path)
        fixed = fixed_batch(path)
        self.batch_size = batch_size = fixed or batch_size
        self.lost, self.device_lost = "", False
        self._lock = threading.Lock()
        self._closed = False
        self._input = np.zeros((batch_size, *self.card.input_size, 3), np.uint8)
        self._backends: dict[int, Backend] = {}
        try:
            for size in sorted({fixed or 1, batch_size}):
                self._backends[size], reason = open_backend(
                    backend,
                    path,
                    threads=threads,
                    precision=precision,
                    batch_size=size,
                    engines=engines,
                )
                # The first inference pays for allocations; no camera frame should.
                self._backends[size].infer(self._input[:size])
        except BaseException:
            self.close()
            raise
        self.reason = reason
        loaded = self._backends[batch_size]
        self.backend_name, self.device = loaded.name, loaded.device
        self.precision, self.details = loaded.precision, loaded.details

    def __call__(self, image: NDArray[np.uint8]) -> Segmentation:
        """Segment one image.

        Args:
            image: BGR, uint8 [H, W, 3], of any size and memory layout.

        Raises:
            ValueError: the image is of another type or shape, or has no pixels.
            RuntimeError: the segmenter is closed, or the network's answer is none.
            InferenceError: the device failed on this image; the next may be good.
            BackendLostError: the device failed for good; the segmenter must be made anew.
        """
        return self.segment([image])[0]

    def segment(
        self, images: Sequence[NDArray[np.uint8]], at_input_size: bool = False
    ) -> list[Segmentation]:
        """Segment several images: full batches in one call of the network, the rest one by one.

        A model of a fixed batch takes the rest in one call too, which costs what a full one does.

        Args:
            images: BGR, uint8 [H, W, 3], each of any size and memory layout.
            at_input_size: whether to leave labels and confidence at the size of the model's
                input instead of bringing them to the image's.

        Raises:
            ValueError: an image is of another type or shape, or has no pixels.
            RuntimeError: the segmenter is closed, or the network's answer is none.
            InferenceError: the device failed on these images; the next may be good.
            BackendLostError: the device failed for good; the segmenter must be made anew.
        """
        for image in images:
            _check_image(image)
        full = len(images) - len(images) % self.batch_size
        batches = [images[i : i + self.batch_size] for i in range(0, full, self.batch_size)]
        rest = min(self._backends)
        batches += [images[i : i + rest] for i in range(full, len(images), rest)]
        with self._lock:
            if self._closed:
                raise RuntimeError("the segmenter is closed")
            return [result for batch in batches for result in self._run(batch, at_input_size)]

    def _run(self, images: Sequence[NDArray[np.uint8]], at_input_size: bool) -> list[Segmentation]:
        begin = time.perf_counter()
        batch = self._fit(images)
        fitted = time.perf_counter()
        try:
            labels, confidence = self._backends[len(batch)].infer(batch)
        except BackendLostError as error:
            self.lost = self.lost or str(error)
            self.device_lost = self.device_lost or isinstance(error, DeviceLostError)
            raise
        inferred = time.perf_counter()
        self._check_answer(len(batch), labels=labels, confidence=confidence)
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
        """The images as one batch, uint8 [N, *input_size, 3], without a copy where it can be.

        N is a number that there is a backend for; what images do not fill is as it was before.
        """
        size = self.card.input_size
        if len(images) == 1 and 1 in self._backends:
            return fit_image(images[0], size, out=self._input[0])[None]
        for slot, image in zip(self._input, images, strict=False):
            fitted = fit_image(image, size, out=slot)
            if not np.may_share_memory(fitted, slot):
                np.copyto(slot, fitted)
        return self._input

    def _check_answer(self, count: int, **answer: NDArray[np.uint8]) -> None:
        """What a broken engine, or a model not of its card, gives must not reach a planner."""
        shape = (count, *self.card.input_size)
        for name, values in answer.items():
            if values.dtype != np.uint8 or values.shape != shape:
                raise RuntimeError(
                    f"the network gave {name} of {values.dtype} {values.shape}, not uint8 {shape}"
                )
        highest = answer["labels"].max()
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
                for backend in self._backends.values():
                    backend.close()

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
