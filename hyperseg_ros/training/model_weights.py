"""The weights of a model file, for training to go on from a model whose checkpoint is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from hyperseg_ros import network
from hyperseg_ros.network.checkpoint import check_finite
from hyperseg_ros.network.folding import deployed
from hyperseg_ros.training.unfolding import load_deployed_weights

_PREFIX = "network."


def load_model_weights(model: network.HyperSeg, path: Path, images: Iterable[Tensor]) -> None:
    """Fill a network with the weights of a model file, so that it can be trained further.

    Args:
        model: of the file's variant and classes; it is left in evaluation mode.
        path: the model file.
        images: batches like those to train on, float [N, 3, H, W], normalised.

    Raises:
        CheckpointError: the graph does not hold all weights under their names, or weights are
            not finite.
    """
    wanted = deployed(model).state_dict()
    graph = onnx.load(path).graph
    values = _initializers(graph)
    check_finite(values, path)
    biases = _biases(graph, values)
    state = {}
    for key, tensor in wanted.items():
        if _PREFIX + key in values:
            state[key] = values[_PREFIX + key]
        elif key in biases:
            # A dynamic convolution has its bias once for every patch, one without has none.
            state[key] = biases[key][: len(tensor)] if biases[key].numel() else 0 * tensor
    try:
        load_deployed_weights(model, state, images)
    except network.CheckpointError as error:
        raise network.CheckpointError(
            f"{path} does not hold its weights as training needs them ({error}); files exported "
            "with --operators product, with regular convolutions or with an encoder of timm do "
            "not: start from the checkpoint"
        ) from error


def check_model_weights(path: Path) -> None:
    """Raise CheckpointError where a model file holds weights that are not finite."""
    check_finite(_initializers(onnx.load(path).graph), path)


def _initializers(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """All constants by name; those stored in half precision under the name of their cast."""
    return {
        tensor.name.removesuffix(".half"): torch.from_numpy(
            numpy_helper.to_array(tensor).astype(np.float32)
        )
        for tensor in graph.initializer
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    }


def _biases(graph: onnx.GraphProto, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The biases of the convolutions, by the keys of the modules that they are named after."""
    biases = {}
    for node in graph.node:
        key = f"{node.name.partition('/')[0]}.bias"
        if node.op_type == "Conv" and len(node.input) == 2:
            biases[key] = torch.empty(0)
        elif node.op_type == "Conv" and node.input[2] in values:
            biases[key] = values[node.input[2]]
    return biases
