"""Whether what was compiled from a model file gives the file's labels, before it is used.

Compilers for GPUs have built wrong programs without an error, and whoever steers by labels must not
find out on the road. So labels are compared with those of ONNX Runtime's CPU kernels, on frames
that come with the package.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.runtime.backends.base import BackendError
from hyperseg_ros.runtime.image_files import read_image
from hyperseg_ros.runtime.model_file import read_card, verification_frames
from hyperseg_ros.runtime.resizing import fit_image

REQUIRED = 0.98
"""Share of labels that must be equal; half precision moves a few pixels on class borders."""
REQUIRED_INT8 = 0.95
"""The same of a model file with an INT8 encoder."""

Images = NDArray[np.uint8]
Infer = Callable[[Images], "tuple[Images, Images]"]
"""A batch of images to labels and confidence, as `Backend.infer`."""


@dataclass(frozen=True)
class Verification:
    """What a model file's labels are on the frames of the package.

    Args:
        path: a model file that follows the contract.
        batch_size: images per call.
        required: share of labels that must be equal.
    """

    path: Path
    batch_size: int
    required: float

    def agreement(self, infer: Infer) -> float:
        """The share of labels that are ONNX Runtime's, 0 to 1, each frame in each place of a batch.

        Raises:
            BackendError: ONNX Runtime is not installed, or the frames are not.
        """
        frames, expected = self._reference
        shares = []
        for first in range(len(frames)):
            places = (first + np.arange(self.batch_size)) % len(frames)
            labels, _ = infer(np.ascontiguousarray(frames[places]))
            shares.append(float(np.mean(labels == expected[places])))
        return float(np.mean(shares))

    @functools.cached_property
    def _reference(self) -> tuple[Images, Images]:
        """The frames at the model's size, uint8 [F, H, W, 3], and their labels, uint8 [F, H, W]."""
        try:
            from hyperseg_ros.runtime.backends.onnxruntime import OnnxRuntimeBackend
        except ImportError:
            raise BackendError(
                "onnxruntime is not installed, and nothing compiled for a GPU is used before its "
                "labels are compared with it: pip install onnxruntime"
            ) from None
        files = verification_frames()
        if not files:
            raise BackendError(
                "the frames that labels are compared on are missing (models/frames): "
                "reinstall hyperseg_ros"
            )
        size = read_card(self.path).input_size
        frames = np.stack([fit_image(read_image(file), size) for file in files])
        backend = OnnxRuntimeBackend(self.path, batch_size=self.batch_size)
        try:
            batches = [np.repeat(frame[None], self.batch_size, axis=0) for frame in frames]
            return frames, np.stack([backend.infer(batch)[0][0] for batch in batches])
        finally:
            backend.close()
