"""Every variant, in every precision and form, compiled by TensorRT-RTX, which needs no GPU."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import models
from hyperseg_ros.export.onnx_file import write_model_file
from hyperseg_ros.network import VARIANTS, build
from hyperseg_ros.network.patches import OPERATORS
from hyperseg_ros.runtime.graphs.forms import FORMS, in_form
from hyperseg_ros.runtime.precision import (
    is_quantized,
    quantize_encoder,
    to_half,
    with_float_depthwise,
)
from hyperseg_ros.runtime.precision.weights import with_plain_weights

pytest.importorskip("tensorrt_rtx_bindings")

from hyperseg_ros.runtime.backends.tensorrt import builder
from hyperseg_ros.runtime.backends.tensorrt.library import find_library

pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")

SIZE = (128, 128)


def model_file(folder, name, operators, batch=1):
    torch.manual_seed(0)
    network = build(name).train()
    with torch.no_grad():
        network(torch.randn(2, 3, *SIZE))  # batch norms of some data
    path = folder / f"{name}.onnx"
    card = models.card(classes=VARIANTS[name].classes, input_size=SIZE)
    write_model_file(path, network.eval(), card, batch, operators=operators)
    return onnx.load(str(path))


def compiled(model):
    return builder.build(find_library(), model).engine


@pytest.fixture(scope="module", params=VARIANTS)
def fp32(request, tmp_path_factory):
    return model_file(tmp_path_factory.mktemp("models"), request.param, "convolution")


@pytest.mark.parametrize("form", FORMS)
def test_every_variant_compiles(fp32, form):
    plain = in_form(with_plain_weights(fp32), form)
    assert len(compiled(to_half(plain))) < len(compiled(plain))


def test_every_variant_keeps_its_labels_as_products(fp32):
    session = onnxruntime.InferenceSession
    image = np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3), np.uint8)
    products = in_form(with_plain_weights(fp32), "product")
    labels, found = (
        session(model.SerializeToString()).run(["labels"], {"image": image})[0]
        for model in (fp32, products)
    )
    assert np.array_equal(labels, found)
    assert sum(node.op_type == "MatMul" for node in products.graph.node) >= 6


def test_every_variant_compiles_with_an_int8_encoder(fp32):
    frame = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    int8 = quantize_encoder(fp32, [frame])
    assert is_quantized(int8)
    assert compiled(to_half(with_float_depthwise(int8)))


@pytest.mark.parametrize("operators", sorted({*OPERATORS} - {"convolution"}))
def test_other_forms_of_the_decoder_compile_and_for_a_batch(tmp_path, operators):
    assert compiled(to_half(model_file(tmp_path, "hyperseg-s-lite0", operators, batch=4)))
