"""Meta blocks in strips give the bytes of the model file."""

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")
from graph_runs import results

import models
from hyperseg_ros.runtime.graphs.index import GraphIndex
from hyperseg_ros.runtime.graphs.replacement import with_parts_replaced
from hyperseg_ros.runtime.graphs.resize import resized
from hyperseg_ros.runtime.graphs.strips import meta_blocks_in_strips
from hyperseg_ros.runtime.model_file import find_model
from hyperseg_ros.runtime.resizing import fit_image
from hyperseg_ros.simulation import StreetCamera

MIB = 1 << 20


def sizes(model):
    """Bytes of what each depthwise convolution with generated kernels reads."""
    index = GraphIndex(model)
    return [
        4 * int(np.prod(index.shapes[node.input[0]]))
        for node in model.graph.node
        if node.op_type == "Conv"
        and not index.is_constant(node.input[1])
        and index.shapes[node.input[1]][2:] == (3, 3)
    ]


@pytest.mark.parametrize(
    ("name", "size", "strips"),
    [
        ("hyperseg-s-lite0-camvid", (384, 512), 4 + 12),
        ("hyperseg-s-lite0-camvid-int8", (384, 512), 4 + 12),
        ("hyperseg-s-lite0-camvid", (384, 640), 6 + 12),
        ("hyperseg-s-lite2-camvid", (576, 768), 9 + 18),
    ],
)
def test_strips_give_the_same_bytes_from_maps_that_fit_a_cache(name, size, strips):
    model = onnx.load(str(find_model(name)))
    model = resized(model, *size) if size == (384, 640) else model
    image = fit_image(StreetCamera(5, 640, 480).frame(30).image, size)[None]

    divided = with_parts_replaced(model, [meta_blocks_in_strips])

    onnx.checker.check_model(divided, full_check=True)
    assert len(sizes(model)) == 2
    assert max(sizes(model)) > 10 * MIB
    assert len(sizes(divided)) == strips
    assert max(sizes(divided)) < 1.5 * MIB
    expected, found = results(model, image), results(divided, image)
    assert len(np.unique(expected[0])) > 5
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_convolutions_may_share_a_bias():
    model = onnx.load(str(find_model("hyperseg-s-lite0-camvid")))
    index = GraphIndex(model)
    generated = [
        node
        for node in model.graph.node
        if node.op_type == "Conv" and not index.is_constant(node.input[1])
    ]
    *_, first, second, _ = generated  # of the last meta block
    second.input[2] = first.input[2]

    divided = with_parts_replaced(model, [meta_blocks_in_strips])

    onnx.checker.check_model(divided, full_check=True)
    image = fit_image(StreetCamera(5, 640, 480).frame(30).image, (384, 512))[None]
    for one, other in zip(results(model, image), results(divided, image), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_has_no_large_meta_block_is_as_it_was():
    model = onnx.shape_inference.infer_shapes(models.palette_model(models.card(), batch=2))
    assert with_parts_replaced(model, [meta_blocks_in_strips]).graph.node == model.graph.node


def test_the_model_is_left_as_it_is():
    model = onnx.load(str(find_model("hyperseg-s-lite0-camvid")))
    before = model.SerializeToString()
    assert with_parts_replaced(model, [meta_blocks_in_strips]).SerializeToString() != before
    assert model.SerializeToString() == before
