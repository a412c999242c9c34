"""Tiny ONNX models that follow the model-file contract and whose results are exactly known.

`palette_model` gives each pixel the class whose colour is nearest in the largest channel
difference, the lower id where two are equally near, and 255 less that difference as confidence.
Every number in it is an integer up to 256, which float32, bfloat16 and float16 hold exactly, so
every backend at every precision must agree with `expected` byte for byte.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.runtime.card import METADATA_KEY, ModelCard


def card(
    classes: ClassTable = CAMVID, input_size: tuple[int, int] = (24, 32), **changes: Any
) -> ModelCard:
    """The card of a `palette_model`; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "name": "nearest-colour",
        "variant": "palette",
        "classes": classes,
        "input_size": input_size,
        "dataset": "none",
        "training": "none: written by hand",
        "miou": {},
        "source_sha256": "0" * 64,
        "license": "Apache-2.0",
        "terms": "none",
    }
    return ModelCard(**{**fields, **changes})


def palette_model(
    model_card: ModelCard, batch: int | str = "N", outputs: ClassTable | None = None
) -> onnx.ModelProto:
    """A model that classifies each pixel by the nearest colour of the card's classes.

    Args:
        batch: a number, or the name of a batch dimension that is free.
        outputs: classes that it tells apart, where those are not the card's.
    """
    height, width = model_card.input_size
    classes = outputs or model_card.classes
    colors = np.array(classes.colors, np.float32)[:, ::-1]  # BGR like the image
    axes = np.array([-1], np.int64)
    initializers = [
        numpy_helper.from_array(np.ascontiguousarray(colors), "colors"),
        numpy_helper.from_array(np.array([3], np.int64), "before_channels"),
        numpy_helper.from_array(axes, "last"),
        numpy_helper.from_array(np.array(255, np.float32), "full"),
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["float", "before_channels"], ["pixels"]),
        helper.make_node("Sub", ["pixels", "colors"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["absolute"]),
        helper.make_node("ReduceMax", ["absolute"], ["distance"], axes=[-1], keepdims=0),
        helper.make_node("ArgMin", ["distance"], ["index"], axis=-1, keepdims=0),
        helper.make_node("Cast", ["index"], ["labels"], to=TensorProto.UINT8),
        helper.make_node("ReduceMin", ["distance"], ["least"], axes=[-1], keepdims=0),
        helper.make_node("Sub", ["full", "least"], ["closeness"]),
        helper.make_node("Cast", ["closeness"], ["confidence"], to=TensorProto.UINT8),
    ]
    graph = helper.make_graph(
        nodes,
        "nearest_colour",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [batch, height, width, 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.UINT8, [batch, height, width])
            for name in ("labels", "confidence")
        ],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: model_card.to_json()})
    return model


def with_an_operator_of_somebody_else(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a node that is valid ONNX and that no backend knows."""
    node = model.graph.node[3]
    node.domain, node.op_type = "com.example", "TheirOperator"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


def with_a_branch(model: onnx.ModelProto, value: str) -> onnx.ModelProto:
    """The model with a further node, `If`, whose subgraphs take a value of the graph around."""
    branch = helper.make_graph(
        [helper.make_node("Identity", [value], ["taken"])],
        "branch",
        [],
        [helper.make_tensor_value_info("taken", TensorProto.FLOAT, None)],
    )
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array(True), "condition"))
    graph.node.append(
        helper.make_node("If", ["condition"], ["either"], then_branch=branch, else_branch=branch)
    )
    onnx.checker.check_model(model)
    return model


def write_palette_model(
    path: Path,
    classes: ClassTable = CAMVID,
    input_size: tuple[int, int] = (24, 32),
    batch: int | str = "N",
    outputs: ClassTable | None = None,
    **changes: Any,
) -> Path:
    """Write a `palette_model` to `path` and return the path; `changes` are those of its card."""
    model_card = card(classes, input_size, **changes)
    onnx.save(palette_model(model_card, batch, outputs), str(path))
    return path


def expected(
    image: NDArray[np.uint8], classes: ClassTable = CAMVID
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Labels and confidence of a `palette_model` for BGR pixels, uint8 [..., 3] -> uint8 [...]."""
    colors = np.array(classes.colors, np.int16)[:, ::-1]
    distance = np.abs(image[..., None, :].astype(np.int16) - colors).max(axis=-1)
    return (
        distance.argmin(axis=-1).astype(np.uint8),
        (255 - distance.min(axis=-1)).astype(np.uint8),
    )
