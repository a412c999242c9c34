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
from hyperseg_ros.network.folding import deployed
from hyperseg_ros.network.unfolding import load_deployed_weights
from hyperseg_ros.runtime.card import ModelCard
from hyperseg_ros.runtime.model_file import read_card

_PREFIX = "network."


def load_model_file(path: Path, images: Iterable[Tensor]) -> tuple[network.HyperSeg, ModelCard]:
    """The network of a model file, in evaluation mode, ready to be trained further.

    Args:
        path: written by `hyperseg export` with the default operators.
        images: batches like those to train on, float [N, 3, H, W], normalised.

    Raises:
        ModelFileError: this is no model file.
        CheckpointError: its graph does not hold the network that its card names.
        ValueError: the card names no variant of ours.
    """
    card = read_card(path)
    model = network.build(card.variant, len(card.classes))
    wanted = deployed(model).state_dict()
    graph = onnx.load(path).graph
    values = _initializers(graph)
    biases = _biases(graph, values)
    state = {}
    for key, tensor in wanted.items():
        if _PREFIX + key in values:
            state[key] = values[_PREFIX + key]
        elif key in biases:
            # A dynamic convolution has its bias once for every patch, one without has none.
            state[key] = biases[key][: len(tensor)] if biases[key].numel() else 0 * tensor
    load_deployed_weights(model, state, images)
    return model, card


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
    return {
        f"{node.name.partition('/')[0]}.bias": values[node.input[2]]
        if len(node.input) > 2
        else torch.empty(0)
        for node in graph.node
        if node.op_type == "Conv"
    }
