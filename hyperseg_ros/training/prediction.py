"""What a network says of images, the way the deployed model computes it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


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
