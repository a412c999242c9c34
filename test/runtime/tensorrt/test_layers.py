"""What is fused in the shipped model: a change that breaks fusion is seen here."""

import pytest

pytest.importorskip("tensorrt_rtx_bindings")

from hyperseg_ros.runtime.backends.derivation import Derivation, ModelSource
from hyperseg_ros.runtime.backends.tensorrt.builder import build
from hyperseg_ros.runtime.backends.tensorrt.layers import read_layers
from hyperseg_ros.runtime.backends.tensorrt.library import find_library
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL, find_model

LOG = """Max Scratch Memory: 512 bytes
Layers:
Name: a_0, LayerType: kgen, Inputs: [ { Name: image, Dimensions: [1,2,4,3], Strides: [24,12,3,1], \
StrideOrder: [3,2,1,0], Datatype: UInt8, Format: (Linear) Row major linear format }], \
Constants: [ { Name: c, Dimensions: [3], Datatype: Half, Format: x }, { Name: s, Dimensions: [], \
Datatype: Float, Format: x }], Outputs: [ { Name: y, Dimensions: [1,4,2,4], Datatype: Half, \
Format: x }], TacticName: t, StreamId: 0, Metadata: [ONNX Layer: mul]
Name: s_1, LayerType: signal, Inputs: [], Constants: [], Outputs: [], TacticName: , StreamId: 0
"""


def test_bytes_are_those_of_the_tensors():
    found = read_layers(LOG)
    (layer,) = found.layers
    assert (layer.name, layer.kind) == ("a_0", "kgen")
    assert (layer.inputs, layer.constants, layer.outputs) == (24, 6 + 4, 64)
    assert (found.kernels, found.traffic, found.scratch) == (1, 98, 512)


def test_a_log_without_layers_has_none():
    assert read_layers("Engine generation completed").kernels == 0


@pytest.mark.parametrize(
    ("precision", "form", "kernels", "megabytes"),
    [("fp16", "product", 94, 184), ("fp16", "convolution", 96, 190), ("fp32", "product", 94, 362)],
)
def test_the_shipped_model_is_fused(precision, form, kernels, megabytes):
    path = find_model(DEFAULT_MODEL)
    graph = ModelSource.read(path, 1).graph(Derivation(precision, form))
    found = build(find_library(), graph).layers
    assert 80 < found.kernels <= kernels
    assert 100e6 < found.traffic <= megabytes * 1e6
    labels = [layer for layer in found.layers if "Max" in layer.name and "Resi" in layer.name]
    assert len(labels) == 1, "the last resize and the argmax are not one kernel"
