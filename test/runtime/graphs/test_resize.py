"""A model file for another input size, from nothing but the file."""

import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

pytest.importorskip("onnxruntime")
from graph_runs import results

import models
from hyperseg_ros.runtime.graphs.index import GraphIndex
from hyperseg_ros.runtime.graphs.patchwise import Patches
from hyperseg_ros.runtime.graphs.resize import ResizeError, Resizer, halo_index, resized
from hyperseg_ros.runtime.model_file import find_model
from hyperseg_ros.runtime.precision import quantize_encoder

MODELS = ("hyperseg-s-lite0-camvid", "hyperseg-s-lite2-camvid")
sides = st.integers(2, 20).map(lambda number: 64 * number)


def noise(height, width, batch=1):
    return np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), dtype=np.uint8)


def content(model):
    """All that a graph computes with, whatever order it is stored in."""
    constants = {
        tensor.name: numpy_helper.to_array(tensor).tobytes() for tensor in model.graph.initializer
    }
    return constants, sorted(node.SerializeToString() for node in model.graph.node)


@pytest.fixture(scope="module", params=MODELS)
def shipped(request):
    return onnx.load(str(find_model(request.param)))


@pytest.fixture(scope="module")
def resizer(shipped):
    return Resizer(shipped)


@pytest.fixture(scope="module")
def small():
    """The smallest shipped model, at a size that runs in no time."""
    return resized(onnx.load(str(find_model(MODELS[0]))), 128, 192)


def test_the_network_says_which_sizes_fit(resizer):
    assert resizer.divisor == 64


@pytest.mark.parametrize(
    ("size", "nearest"), [((360, 640), "384 x 640"), ((380, 500), "384 x 512"), ((1, 9), "64 x 64")]
)
def test_a_size_that_does_not_fit_names_the_nearest(shipped, size, nearest):
    with pytest.raises(ValueError, match=f"multiples of 64; the nearest valid size is {nearest}"):
        resized(shipped, *size)


def test_it_runs_at_another_size_and_back_it_is_what_it_was(shipped):
    height, width = GraphIndex(shipped).shapes["image"][1:3]
    other = resized(shipped, 128, 192)
    labels, confidence = results(other, noise(128, 192))
    assert labels.shape == confidence.shape == (1, 128, 192)
    assert len(np.unique(labels)) > 1
    image = noise(height, width)
    expected, found = results(shipped, image), results(resized(other, height, width), image)
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])


@given(sides, sides, sides, sides)
@example(128, 128, 128, 256)  # the size between stores coordinates as float16
@settings(max_examples=5)
def test_the_way_to_a_size_does_not_matter(small, height, width, over_height, over_width):
    over = resized(small, over_height, over_width)
    found, expected = resized(over, height, width), resized(small, height, width)
    assert content(found) == content(expected)
    shapes = GraphIndex(found).shapes
    assert shapes["image"] == (1, height, width, 3)
    assert shapes["labels"] == shapes["confidence"] == (1, height, width)


def test_the_model_is_left_as_it_is(small):
    before = small.SerializeToString()
    resized(small, 192, 128)
    assert small.SerializeToString() == before
    assert resized(small, 128, 192).SerializeToString() == before


def test_a_quantized_model_is_resized_too(small):
    int8 = quantize_encoder(small, [noise(128, 192)[0]])
    other = resized(int8, 192, 256)
    expected, found = (
        results(resized(small, 192, 256), noise(192, 256)),
        results(other, noise(192, 256)),
    )
    assert any(node.op_type == "QuantizeLinear" for node in other.graph.node)
    assert np.mean(found[0] == expected[0]) > 0.8  # of noise; as far as INT8 goes


@pytest.mark.parametrize("batch", [1, "N"])
def test_a_graph_that_is_not_understood_is_refused(batch):
    model = models.palette_model(models.card(input_size=(128, 192)), batch)
    with pytest.raises(ResizeError, match=r"only one of a fixed batch|export the checkpoint with"):
        resized(model, 192, 192)


def test_a_model_of_the_smallest_size_is_refused(small):
    with pytest.raises(ResizeError, match=r"the smallest there is.*export the checkpoint with"):
        resized(resized(small, 64, 64), 128, 128)


@given(
    st.integers(1, 3),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(2, 5), st.integers(2, 5)),
)
def test_the_halo_is_the_reflected_map_around_each_patch(images, grid, patch):
    (rows, columns), (tall, wide) = grid, patch
    patches = Patches(images, 1, rows, columns, tall, wide, 1)
    maps = np.arange(images * rows * tall * columns * wide).reshape(
        images, rows * tall, columns * wide
    )
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    found = maps.ravel()[halo_index(patches)].reshape(tall + 2, wide + 2, images, rows, columns)
    for image, row, column in np.ndindex(images, rows, columns):
        expected = padded[
            image,
            row * tall : (row + 1) * tall + 2,
            column * wide : (column + 1) * wide + 2,
        ]
        assert np.array_equal(found[:, :, image, row, column], expected)
