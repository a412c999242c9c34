"""An INT8 encoder: quantize and dequantize around its convolutions, scales from real frames.

Symmetric scales, per tensor for activations and per output channel for weights, are what TensorRT's
and OpenVINO's INT8 convolutions take. The decoder stays in floating point: its kernels arrive with
the frame, and per-channel scales must be constants. Weights are such that sums do not saturate on
any CPU.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from hyperseg_ros.runtime.model_file import INPUT
from hyperseg_ros.runtime.precision.saturation import without_saturation
from hyperseg_ros.runtime.precision.weights import with_plain_weights

ENCODER = ".encoder."
"""What the names of the encoder's weights have in them."""
_FLOAT = (".squeeze_excitation.", ".encoder.stem.", ".encoder.blocks.0.depthwise.")
"""What the names of the encoder's weights have in them that stay in floating point."""
_QUANTIZED = "_quantized"
"""What ONNX Runtime appends to the names of weights that it quantizes."""


class QuantizationError(ValueError):
    """A model or frames that an INT8 encoder cannot be made from; says what to do."""


def is_quantized(model: ModelProto) -> bool:
    """Whether a graph quantizes anything."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def no_int8_encoder(path: Path) -> str:
    """What to do about a model file without an INT8 encoder, where one is needed."""
    return (
        f"{path} has no INT8 encoder: make a model file that has one with "
        f"`hyperseg build {path} --precision int8 --calibrate FOLDER`"
    )


def quantize_encoder(model: ModelProto, frames: Iterable[NDArray[np.uint8]]) -> ModelProto:
    """The model with its encoder's convolutions in INT8.

    The range of each activation is what it reaches on the frames. Squeeze-and-excitation stays in
    floating point: it works on one pixel, and its sigmoid is sensitive. So do the first two
    convolutions, whose few channels hold all there is: they cost cars half a point of IoU.

    Args:
        model: an FP32 model file's graph; it is left as it is.
        frames: BGR at the model's input size, uint8 [H, W, 3]; ten to a hundred of what the
            cameras will see. They are read one at a time.

    Raises:
        QuantizationError: the model has no encoder or is quantized already, a frame is of another
            size, or there are no frames.
    """
    if is_quantized(model):
        raise QuantizationError("the model is quantized already; start from its FP32 model file")
    plain = with_plain_weights(model)
    convolutions = _encoder_convolutions(plain)
    if not convolutions:
        raise QuantizationError(
            f"the model has no encoder to quantize: no convolution's weights are named *{ENCODER}*"
        )
    weights = {
        f"{tensor.name}{_QUANTIZED}": numpy_helper.to_array(tensor)
        for tensor in plain.graph.initializer
    }
    shape = [side.dim_value for side in plain.graph.input[0].type.tensor_type.shape.dim]
    reader = _Frames(frames, batch=shape[0] or 1, size=(shape[1], shape[2]))
    result = _quantized(plain, convolutions, reader)
    without_saturation(result, weights)
    del result.metadata_props[:]
    result.metadata_props.extend(model.metadata_props)
    result.producer_name = model.producer_name
    return result


def _quantized(model: ModelProto, nodes: list[str], frames: _Frames) -> ModelProto:
    """A model with some of its convolutions in INT8, by ONNX Runtime's static quantization."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    logger = logging.getLogger()
    level = logger.level
    with tempfile.TemporaryDirectory(prefix="hyperseg-int8-") as folder:
        quantized = Path(folder, "quantized.onnx")
        # It advises through the root logger to fold batch norms first, which export has done.
        logger.setLevel(logging.ERROR)
        try:
            quantize_static(
                model,
                quantized,
                frames,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_quantize=nodes,
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                    "OpTypesToExcludeOutputQuantization": ["Conv"],
                },
            )
        finally:
            logger.setLevel(level)
        return onnx.load(str(quantized))


def _encoder_convolutions(model: ModelProto) -> list[str]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv"
        and node.input[1] in constants
        and ENCODER in node.input[1]
        and not any(part in node.input[1] for part in _FLOAT)
    ]


class _Frames:
    """Frames as ONNX Runtime's calibration reads them, each filling a batch."""

    def __init__(
        self, frames: Iterable[NDArray[np.uint8]], batch: int, size: tuple[int, int]
    ) -> None:
        self._frames: Iterator[NDArray[np.uint8]] = iter(frames)
        self._batch, self._size, self._count = batch, size, 0

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        frame = next(self._frames, None)
        if frame is None:
            if not self._count:
                raise QuantizationError("there are no frames to calibrate with")
            return None
        if frame.shape != (*self._size, 3) or frame.dtype != np.uint8:
            raise QuantizationError(
                f"a frame to calibrate with is {frame.dtype} {frame.shape}, not uint8 "
                f"({self._size[0]}, {self._size[1]}, 3)"
            )
        self._count += 1
        return {INPUT: np.repeat(frame[None], self._batch, axis=0)}
