"""Random geometry and colour for training. Labels are only ever taken from the nearest pixel."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hyperseg_ros.classes import UNLABELLED
from hyperseg_ros.training.config import AugmentationConfig
from hyperseg_ros.training.corruptions import corrupt_randomly

FILL = (128, 128, 128)
"""RGB beyond the border of an image."""


class Crop(NamedTuple):
    """A training crop.

    Attributes:
        image: uint8 [H, W, 3] RGB.
        labels: uint8 [H, W]; `UNLABELLED` beyond the border of the image.
        clean: the image before blur, noise and corruption, of the same shape.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    clean: NDArray[np.uint8]


class Augmentation:
    """Scales, squeezes, flips, turns and crops an image with its labels, and changes its colours.

    Args:
        config: what to change, and how much.
        input_size: height and width of the network's input: scale 1 fits an image to it.
    """

    def __init__(self, config: AugmentationConfig, input_size: tuple[int, int]) -> None:
        self.config = config
        self.input_size = input_size

    def __call__(
        self, image: NDArray[np.uint8], labels: NDArray[np.uint8], random: np.random.Generator
    ) -> Crop:
        """Draw one crop.

        Args:
            image: uint8 [H, W, 3] RGB.
            labels: uint8 [H, W].
            random: the only source of randomness.
        """
        height, width = self.config.crop
        matrix = self._crop_matrix(labels.shape[0], labels.shape[1], random)
        image = cv2.warpAffine(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=FILL
        )
        labels = cv2.warpAffine(
            labels, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=UNLABELLED
        )
        clean = self._recolor(image, random)
        return Crop(self._degrade(clean, random), labels, clean)

    def _crop_matrix(
        self, height: int, width: int, random: np.random.Generator
    ) -> NDArray[np.float64]:
        """The map from image to crop, float64 [2, 3], in pixels with integer centres."""
        config = self.config
        scale = math.exp(random.uniform(*np.log(config.scale)))
        squeeze = math.exp(0.5 * random.uniform(-1, 1) * math.log(config.aspect))
        scale_x = scale * squeeze * self.input_size[1] / width
        scale_y = scale / squeeze * self.input_size[0] / height
        # A crop larger than the image shows all of it, at a random place.
        offset_x = random.uniform(0, 1) * (config.crop[1] - scale_x * width)
        offset_y = random.uniform(0, 1) * (config.crop[0] - scale_y * height)
        matrix = np.array(
            [
                [scale_x, 0, offset_x + 0.5 * (scale_x - 1)],
                [0, scale_y, offset_y + 0.5 * (scale_y - 1)],
            ]
        )
        if random.random() < config.flip:
            matrix[0] = -matrix[0]
            matrix[0, 2] += config.crop[1] - 1
        if config.rotation:
            centre = ((config.crop[1] - 1) / 2, (config.crop[0] - 1) / 2)
            degrees = random.uniform(-config.rotation, config.rotation)
            matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0) @ np.vstack((matrix, [0, 0, 1]))
        return matrix

    def _recolor(self, image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        config = self.config
        hue = random.uniform(-config.hue, config.hue)
        saturation = 1 + random.uniform(-config.saturation, config.saturation)
        if hue or saturation != 1:
            hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
            levels = np.arange(256)
            table = np.stack(
                [
                    (levels + round(hue * 256 / 360)) % 256,
                    np.clip(levels * saturation, 0, 255),
                    levels,
                ],
                axis=-1,
            )
            hsv = cv2.LUT(hsv, table.astype(np.uint8)[np.newaxis])
            image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
        gamma = math.exp(random.uniform(-1, 1) * math.log(config.gamma))
        contrast = 1 + random.uniform(-config.contrast, config.contrast)
        brightness = 1 + random.uniform(-config.brightness, config.brightness)
        tones = np.linspace(0, 1, 256) ** gamma
        mean = tones[image].mean()
        tones = brightness * (contrast * (tones - mean) + mean)
        return cv2.LUT(image, np.clip(np.rint(tones * 255), 0, 255).astype(np.uint8))

    def _degrade(self, image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        if random.random() < self.config.blur:
            image = cv2.GaussianBlur(image, (0, 0), sigmaX=random.uniform(0.4, 1.5))
        if random.random() < self.config.noise:
            noise = random.normal(0, random.uniform(2, 12), image.shape)
            image = np.clip(image + noise, 0, 255).astype(np.uint8)
        if self.config.corruption and random.random() < self.config.corruption:
            image = corrupt_randomly(image, random)
        return image
