"""The forms of the decoder give the labels of the model file, from nothing but the file."""

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")
from graph_runs import results

from hyperseg_ros.runtime.graphs.forms import FORMS, in_form
from hyperseg_ros.runtime.model_file import find_model
from hyperseg_ros.runtime.precision import quantize_encoder, with_float_depthwise
from hyperseg_ros.runtime.precision.weights import with_plain_weights
from hyperseg_ros.runtime.resizing import fit_image
from hyperseg_ros.simulation import StreetCamera

MODELS = ("hyperseg-s-lite0-camvid", "hyperseg-s-lite2-camvid")


def dynamic_convolutions(model):
    constant = {tensor.name for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type == "Conv" and node.input[1] not in constant
    ]


@pytest.fixture(scope="module", params=MODELS)
def shipped(request):
    return with_plain_weights(onnx.load(str(find_model(request.param))))


@pytest.fixture(scope="module")
def expected(shipped):
    size = tuple(side.dim_value for side in shipped.graph.input[0].type.tensor_type.shape.dim[1:3])
    image = fit_image(StreetCamera(5, 640, 480).frame(30).image, size)[None]
    return image, results(shipped, image)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_labels_of_the_file(shipped, expected, form):
    image, (labels, confidence) = expected
    derived = in_form(shipped, form)
    onnx.checker.check_model(derived, full_check=True)
    found, sureness = results(derived, image)
    assert len(np.unique(labels)) > 5
    assert np.array_equal(found, labels)
    assert np.abs(sureness.astype(int) - confidence).max() <= 1


def test_products_leave_no_dynamic_convolution_and_no_copied_patches(shipped):
    assert len(dynamic_convolutions(shipped)) == 9
    derived = in_form(shipped, "product")
    assert not dynamic_convolutions(derived)
    # Each of the two levels with a halo takes it by two Gathers; the fifth turns BGR to RGB.
    assert sum(node.op_type == "Gather" for node in derived.graph.node) == 5


def test_an_int8_encoder_stays_one(shipped):
    height, width = (s.dim_value for s in shipped.graph.input[0].type.tensor_type.shape.dim[1:3])
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    int8 = with_float_depthwise(quantize_encoder(shipped, [frame]))
    derived = in_form(int8, "product")

    def count(model, operator):
        return sum(node.op_type == operator for node in model.graph.node)

    assert count(derived, "QuantizeLinear") == count(int8, "QuantizeLinear") > 20
    assert count(derived, "Conv") == count(int8, "Conv") - 9


def test_the_model_is_left_as_it_is(shipped):
    before = shipped.SerializeToString()
    for form in FORMS:
        in_form(shipped, form)
    assert shipped.SerializeToString() == before
