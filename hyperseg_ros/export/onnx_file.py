"""Writing the model file: the ONNX graph, weights in half precision, the card in the metadata."""

from __future__ import annotations

import ast
import os

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from hyperseg_ros.export.pixels import PixelsToLabels
from hyperseg_ros.network import HyperSeg
from hyperseg_ros.network.folding import deployed
from hyperseg_ros.runtime.card import METADATA_KEY, ModelCard
from hyperseg_ros.runtime.model_file import INPUT, OUTPUTS
from hyperseg_ros.sizes import check_size

OPSET = 18
"""Known to TensorRT 10.3 (JetPack 6) and to every runtime since 2023."""
_SCOPES = "pkg.torch.onnx.name_scopes"
_FEWEST_HALVED = 256
"""Least number of weights of a tensor that is halved: smaller ones are not worth a cast."""


def write_model_file(
    path: str | os.PathLike[str],
    network: HyperSeg,
    card: ModelCard,
    batch: int = 1,
    half_weights: bool = True,
    operators: str = "convolution",
) -> None:
    """Write a network as a model file.

    Args:
        path: the `.onnx` file.
        network: trained, on the CPU.
        card: goes into the metadata; its `input_size` is the graph's.
        batch: batch size.
        half_weights: store weights as float16; the arithmetic stays float32.
        operators: the form of the dynamic convolutions, a key of `network.patches.OPERATORS`.

    Raises:
        ValueError: the input size does not fit the network.
    """
    height, width = card.input_size
    check_size(height, width, network.size_divisor)
    model = trace(PixelsToLabels(deployed(network, operators)), card.input_size, batch)
    _name_by_module(model)
    _drop_debris(model)
    if half_weights:
        _store_half(model.graph)
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    model.producer_name = "hyperseg_ros"
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def trace(graph: PixelsToLabels, size: tuple[int, int], batch: int = 1) -> onnx.ModelProto:
    """The ONNX model of a graph from camera pixels to labels and confidence; it has no card yet.

    Args:
        graph: on the CPU; it is put into evaluation mode.
        size: height and width of the image.
        batch: batch size.
    """
    program = torch.onnx.export(
        graph.eval(),
        (torch.zeros(batch, *size, 3, dtype=torch.uint8),),
        input_names=[INPUT],
        output_names=list(OUTPUTS),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    return program.model_proto


def _name_by_module(model: onnx.ModelProto) -> None:
    """Name nodes after the modules they come from, such as `decoder.levels.4/conv2d_136`.

    Profiles of OpenVINO and TensorRT and their error messages then speak of the network.
    """
    for node in model.graph.node:
        written = next((p.value for p in node.metadata_props if p.key == _SCOPES), "[]")
        scopes: list[str] = ["", *ast.literal_eval(written)]
        modules = scopes[:-1]
        module = modules[-1].removeprefix("network").lstrip(".") if modules else ""
        node.name = "/".join(filter(None, (module, node.name.removeprefix("node_"))))


def _drop_debris(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes about its own source: paths and stack traces."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]


def _store_half(graph: onnx.GraphProto) -> None:
    """Keep large float32 weights as float16, each behind a cast that runtimes fold at start."""
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _FEWEST_HALVED:
            continue
        name = tensor.name
        half = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(
            helper.make_node("Cast", [tensor.name], [name], f"{name}/Cast", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
