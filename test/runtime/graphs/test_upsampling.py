"""Upsampling along one side after the other gives the labels of the model file."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("onnxruntime")
from graph_runs import run

import models
from hyperseg_ros.runtime.graphs.replacement import with_parts_replaced
from hyperseg_ros.runtime.graphs.upsampling import sides_in_turn
from hyperseg_ros.runtime.model_file import find_model
from hyperseg_ros.runtime.resizing import fit_image
from hyperseg_ros.simulation import StreetCamera


def resizes(model):
    return [node for node in model.graph.node if node.op_type == "Resize"]


def doubling(
    shape,
    factor=2,
    perm=(1, 0, 2, 3),
    mode="linear",
    where="half_pixel",
    of=TensorProto.FLOAT,
    opset=18,
):
    """A model that enlarges a map, [N, C, H, W] of a type, and moves its axes."""
    images, channels, height, width = shape
    large = (images, channels, factor * height, factor * width)
    sizes = numpy_helper.from_array(np.array(large), "sizes")
    nodes = [
        helper.make_node(
            "Resize",
            ["small", "", "", "sizes"],
            ["large"],
            name="enlarge",
            mode=mode,
            coordinate_transformation_mode=where,
            nearest_mode="floor",
        ),
        helper.make_node("Transpose", ["large"], ["moved"], perm=perm),
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(name, of, sides)]
        for name, sides in (("small", shape), ("moved", [large[axis] for axis in perm]))
    )
    graph = helper.make_graph(nodes, "doubling", inputs, outputs, [sizes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("shape", [(1, 11, 12, 16), (2, 3, 5, 4), (1, 1, 1, 8)])
def test_every_pixel_of_a_map_is_what_it_was(shape, opset):
    model = doubling(shape, opset=opset)
    small = np.random.default_rng(1).standard_normal(shape, np.float32)

    rewritten = with_parts_replaced(model, [sides_in_turn])

    onnx.checker.check_model(rewritten, full_check=True)
    assert [node.op_type for node in rewritten.graph.node].count("Conv") == 1
    (expected,), (found,) = run(model, "small", small), run(rewritten, "small", small)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        doubling((1, 3, 8, 6)),  # whose width is not divisible
        doubling((1, 3, 8, 8), factor=4),
        doubling((1, 3, 8, 8), perm=(0, 2, 3, 1)),  # not cut into planes
        doubling((1, 3, 8, 8), mode="nearest"),
        doubling((1, 3, 8, 8), where="align_corners"),
        doubling((1, 3, 8, 8), of=TensorProto.FLOAT16),
        doubling((1, 3, 8, 8), of=TensorProto.DOUBLE),
        doubling((1, 3, 8, 8), opset=12),
        doubling((1, 3, 8, 8), opset=11),
        models.with_a_branch(doubling((1, 3, 8, 8)), "small"),
    ],
)
def test_what_is_enlarged_in_another_way_is_as_it_was(model):
    before = model.SerializeToString()
    assert with_parts_replaced(model, [sides_in_turn]) is model
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("hyperseg-s-lite0-camvid", (384, 512)),
        ("hyperseg-s-lite0-camvid-int8", (384, 512)),
        ("hyperseg-s-lite2-camvid", (576, 768)),
    ],
)
def test_a_shipped_model_gives_the_same_labels(name, size):
    model = onnx.load(str(find_model(name)))
    before = model.SerializeToString()
    image = fit_image(StreetCamera(5, 640, 480).frame(30).image, size)[None]

    rewritten = with_parts_replaced(model, [sides_in_turn])

    onnx.checker.check_model(rewritten, full_check=True)
    assert model.SerializeToString() == before
    assert len(resizes(rewritten)) == len(resizes(model)) > 1
    others = [node for node in resizes(rewritten) if node not in model.graph.node]
    assert len(others) == 1  # that of the scores alone
    expected, found = run(model, "image", image), run(rewritten, "image", image)
    assert len(np.unique(expected[0])) > 5
    assert np.mean(found[0] == expected[0]) > 0.9999
    difference = np.abs(found[1].astype(int) - expected[1])
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3
