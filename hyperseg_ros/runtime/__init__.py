"""A model file in, labels out. Needs neither PyTorch nor ROS.

from hyperseg_ros.runtime import Segmenter, read_image

with Segmenter.open("hyperseg-s-lite0-camvid") as segmenter:
    result = segmenter(read_image("street.jpg"))
"""

from hyperseg_ros.runtime.backends import (
    BACKENDS,
    PRECISIONS,
    BackendError,
    BackendLostError,
    EngineOptions,
    InferenceError,
)
from hyperseg_ros.runtime.card import ModelCard
from hyperseg_ros.runtime.image_files import read_image
from hyperseg_ros.runtime.model_file import ModelFileError, find_model, read_card
from hyperseg_ros.runtime.segmenter import Segmentation, Segmenter

__all__ = [
    "BACKENDS",
    "PRECISIONS",
    "BackendError",
    "BackendLostError",
    "EngineOptions",
    "InferenceError",
    "ModelCard",
    "ModelFileError",
    "Segmentation",
    "Segmenter",
    "find_model",
    "read_card",
    "read_image",
]
