"""The encoder in strips of channels gives the labels of the model file."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

pytest.importorskip("onnxruntime")
from graph_runs import run

import models
from hyperseg_ros.runtime.graphs.channel_strips import encoder_in_channel_strips
from hyperseg_ros.runtime.graphs.index import GraphIndex, attribute
from hyperseg_ros.runtime.graphs.replacement import with_parts_replaced
from hyperseg_ros.runtime.model_file import find_model
from hyperseg_ros.runtime.resizing import fit_image
from hyperseg_ros.simulation import StreetCamera

MIB = 1 << 20
FEWEST = 16


def wide_maps(model):
    """Shapes of what each depthwise convolution after a constant 1x1 convolution reads."""
    index = GraphIndex(model)
    found = []
    for node in model.graph.node:
        if node.op_type != "Conv" or attribute(node, "group", 1) == 1:
            continue
        clip = index.makers.get(node.input[0])
        maker = index.makers.get(clip.input[0]) if clip is not None else None
        if maker is None or maker.op_type != "Conv" or attribute(maker, "group", 1) != 1:
            continue
        if index.shapes[maker.input[1]][2:] == (1, 1):
            found.append(index.shapes[node.input[0]])
    return found


def block(channels, side, *, images=1, biased=True, kernel=1, groups=1, of=np.float32, opset=18):
    """An inverted residual, [N, 8, side, side] of a type in and out, of random weights."""
    random = np.random.default_rng(2)

    def constant(*shape):
        value = random.standard_normal(shape, np.float32) / np.prod(shape[1:]) ** 0.5
        return value.astype(of)

    shapes = [(channels, 8 // groups, kernel, kernel), (channels, 1, 3, 3), (8, channels, 1, 1)]
    nodes, weights, name = [], [], "map"
    for place, (shape, group) in enumerate(zip(shapes, (groups, channels, 1), strict=True)):
        made = f"made{place}" if place < 2 else "block"
        values = [constant(*shape), *([constant(shape[0])] if biased else [])]
        names = [f"{made}.constant{number}" for number in range(len(values))]
        weights += map(numpy_helper.from_array, values, names)
        pads = [shape[2] // 2] * 4
        nodes.append(
            helper.make_node("Conv", [name, *names], [made], name=made, group=group, pads=pads)
        )
        if place < 2:
            nodes.append(helper.make_node("Clip", [made, "low", "high"], [f"{made}.clip"]))
        name = f"{made}.clip"
    weights += [numpy_helper.from_array(np.array(v, of), n) for v, n in ((0, "low"), (6, "high"))]
    values = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.dtype(of)), (images, 8, side, side)
        )
        for name in ("map", "block")
    ]
    graph = helper.make_graph(nodes, "block", values[:1], values[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("biased", [True, False])
def test_a_block_is_what_it_was(images, biased):
    model = block(48, 200, images=images, biased=biased)
    value = np.random.default_rng(3).standard_normal((images, 8, 200, 200), np.float32)

    divided = with_parts_replaced(model, [encoder_in_channel_strips])

    onnx.checker.check_model(divided, full_check=True)
    assert wide_maps(model) == [(images, 48, 200, 200)]
    assert wide_maps(divided) == [(images, FEWEST, 200, 200)] * 3
    (expected,), (found,) = run(model, "map", value), run(divided, "map", value)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    groups = [attribute(n, "group", 1) for n in divided.graph.node if n.op_type == "Conv"]
    assert groups == [1, FEWEST, 1] * 3


@pytest.mark.parametrize(
    "model",
    [
        block(48, 100),  # which is small
        block(24, 300),  # of few channels
        block(52, 200),  # which fill no vectors
        block(48, 200, kernel=3),
        block(48, 200, groups=2),
        block(48, 300, of=np.float16),
        block(48, 200, opset=12),
        models.with_a_branch(block(48, 200), "map"),
    ],
)
def test_other_blocks_are_as_they_were(model):
    before = model.SerializeToString()
    assert with_parts_replaced(model, [encoder_in_channel_strips]) is model
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("name", "size", "strips"),
    [
        ("hyperseg-s-lite0-camvid", (384, 512), 6 + 2 * 6),
        ("hyperseg-s-lite2-camvid", (576, 768), 6 + 3 * 9 + 3 * 4 + 4 * 3),
    ],
)
def test_a_shipped_model_gives_the_same_labels(name, size, strips):
    model = onnx.load(str(find_model(name)))
    before = model.SerializeToString()
    image = fit_image(StreetCamera(5, 640, 480).frame(30).image, size)[None]

    divided = with_parts_replaced(model, [encoder_in_channel_strips])

    onnx.checker.check_model(divided, full_check=True)
    assert model.SerializeToString() == before
    whole, parts = wide_maps(model), wide_maps(divided)
    assert max(4 * np.prod(shape) for shape in whole) > 16 * MIB
    assert all(4 * np.prod(s) <= 4 * MIB or s[1] == FEWEST for s in parts)
    assert sum(shape not in whole for shape in parts) == strips
    expected, found = run(model, "image", image), run(divided, "image", image)
    assert len(np.unique(expected[0])) > 5
    assert np.mean(found[0] == expected[0]) > 0.9999
    assert np.abs(found[1].astype(int) - expected[1]).max() <= 1


@pytest.mark.parametrize("name", ["hyperseg-s-lite0-camvid-int8", "hyperseg-s-lite2-camvid-int8"])
def test_an_int8_encoder_is_as_it_was(name):
    model = onnx.load(str(find_model(name)))
    assert with_parts_replaced(model, [encoder_in_channel_strips]).graph.node == model.graph.node


def test_what_has_no_wide_map_is_as_it_was():
    model = onnx.shape_inference.infer_shapes(models.palette_model(models.card(), batch=2))
    assert with_parts_replaced(model, [encoder_in_channel_strips]).graph.node == model.graph.node
