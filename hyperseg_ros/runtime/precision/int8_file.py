"""A model file with an INT8 encoder, made from an FP32 one and images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import onnx
from onnx import helper

from hyperseg_ros.files import writing
from hyperseg_ros.runtime.card import METADATA_KEY
from hyperseg_ros.runtime.image_files import read_image
from hyperseg_ros.runtime.image_folder import sample_images
from hyperseg_ros.runtime.model_file import read_card
from hyperseg_ros.runtime.precision.int8 import quantize_encoder
from hyperseg_ros.runtime.resizing import fit_image

_MOST_FRAMES = 64


def write_int8_file(path: Path, folder: Path, output: Path) -> str:
    """Write the model file with an INT8 encoder.

    Args:
        path: an FP32 model file.
        folder: images of what the cameras will see; of many, some that are evenly spread.
        output: the file to write.

    Returns:
        How many images were used, for people.

    Raises:
        ValueError: the model or an image cannot be used, or there are no images.
        OSError: the file cannot be written.
    """
    card = read_card(path)
    files = sample_images(folder, _MOST_FRAMES)
    quantized = quantize_encoder(
        onnx.load(str(path)), (fit_image(read_image(file), card.input_size) for file in files)
    )
    frames = f"{len(files)} images"
    card = dataclasses.replace(
        card,
        name=f"{card.name}-int8",
        training=f"{card.training} Encoder in INT8, calibrated on {frames}.",
        # What was measured was the FP32 model.
        miou={},
        iou={},
        calibration={},
        robustness={},
    )
    helper.set_model_props(quantized, {METADATA_KEY: card.to_json()})
    with writing(output) as temporary:
        onnx.save(quantized, str(temporary))
    return frames
