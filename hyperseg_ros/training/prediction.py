"""A network's predictions, computed as the deployed model computes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hyperseg_ros.network import HyperSeg
from hyperseg_ros.runtime.resizing import fit_image


def normalize(images: Tensor, network: nn.Module) -> Tensor:
    """The network's input for images.

    Args:
        images: uint8 [N, 3, H, W], RGB.
        network: a network with `mean` and `std`, RGB of images in 0-1.

    Returns:
        float32 [N, 3, H, W], channels last in memory, which is the faster order.
    """
    mean = torch.as_tensor(network.mean, device=images.device).reshape(1, 3, 1, 1)
    std = torch.as_tensor(network.std, device=images.device).reshape(1, 3, 1, 1)
    images = images.contiguous(memory_format=torch.channels_last)
    return (images.float() / 255 - mean) / std


def predict(network: nn.Module, images: Tensor) -> NDArray[np.uint8]:
    """Labels at the network's input size.

    Args:
        network: a network in evaluation mode.
        images: uint8 [N, 3, H, W], RGB.

    Returns:
        uint8 [N, H, W].
    """
    with torch.inference_mode():
        logits = network(normalize(images, network))
        return logits.argmax(dim=1).to(torch.uint8).cpu().numpy()


def predict_averaged(
    network: HyperSeg,
    image: NDArray[np.uint8],
    input_size: tuple[int, int],
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Labels and confidence by the mean softmax over scales, and over image and mirror image.

    Args:
        network: a network in evaluation mode.
        image: uint8 [h, w, 3] RGB.
        input_size: height and width of the network's input at scale 1.
        scales: factors of the input size, each rounded to a size that fits the network.
        flip: average with the mirror image too.

    Returns:
        Class ids, and their probability x 255, uint8 [H, W] each, of the input size.
    """
    divisor = network.size_divisor
    total: Tensor | None = None
    for scale in scales:
        size = [max(divisor, round(side * scale / divisor) * divisor) for side in input_size]
        batch = torch.from_numpy(fit_image(image, (size[0], size[1]))).permute(2, 0, 1)[None]
        if flip:
            batch = torch.cat((batch, batch.flip(3)))
        with torch.inference_mode():
            probabilities = network(normalize(batch, network)).softmax(dim=1)
            if flip:
                probabilities = torch.stack((probabilities[0], probabilities[1].flip(2)))
            mean = functional.interpolate(
                probabilities.mean(dim=0, keepdim=True), input_size, mode="bilinear"
            )
        total = mean if total is None else total + mean
    assert total is not None
    probability, labels = (total[0] / len(scales)).max(dim=0)
    confidence = (probability * 255).round().to(torch.uint8)
    return labels.to(torch.uint8).numpy(), confidence.numpy()
