"""A model in another precision: the same graph in FP16, or with an INT8 encoder.

A model file is FP32. TensorRT 11 takes the precision of every layer from the graph alone, so FP16
and INT8 are derived here, graph in, graph out, without PyTorch: a robot does it at its first start.
"""

from hyperseg_ros.runtime.precision.agreement import Agreement, compare
from hyperseg_ros.runtime.precision.dequantization import (
    with_float_depthwise,
    with_float_encoder,
)
from hyperseg_ros.runtime.precision.half import rounded_to_half, to_half
from hyperseg_ros.runtime.precision.int8 import (
    QuantizationError,
    is_quantized,
    no_int8_encoder,
    quantize_encoder,
)
from hyperseg_ros.runtime.precision.weights import with_plain_weights

__all__ = [
    "Agreement",
    "QuantizationError",
    "compare",
    "is_quantized",
    "no_int8_encoder",
    "quantize_encoder",
    "rounded_to_half",
    "to_half",
    "with_float_depthwise",
    "with_float_encoder",
    "with_plain_weights",
]
