"""What ONNX Runtime makes of a graph: the judge of every rewriting."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto


def run(model: ModelProto, name: str, value: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    """All outputs of a graph for its one input, in their order."""
    return _session(model).run(None, {name: value})


def results(model: ModelProto, image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Labels and confidence of a model file's graph, uint8 [N, H, W], for BGR [N, H, W, 3]."""
    return _session(model).run(["labels", "confidence"], {"image": image})


def _session(model: ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
